"""What numba lacks for the inner loops: words read from and written to any byte, and the first set bit of one.

numba turns a negative index into one from the end, with a test at each access; `get` and `put` do not, so their index
must be within the array.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj
from numpy.typing import NDArray

# Compiled at first use and kept on disk; without the interpreter's lock, so that threads run side by side. numba counts
# references to arrays wherever one is passed on, which costs more than the work of an inner loop; code that makes no
# array needs none of it (`_nrt`). A call of compiled code costs some 5 ns: small functions go into their callers.
_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True}


def allocating(function: Any) -> Any:
    """Compile a function that makes arrays."""
    return _kept(njit(**_OPTIONS, _nrt=True)(function))


def native(function: Any) -> Any:
    """Compile a function that makes no array."""
    return _kept(njit(**_OPTIONS, _nrt=False)(function))


def inlined(function: Any) -> Any:
    """As `native`, into its callers; Python cannot call it."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return _kept(njit(**_OPTIONS, **wrappers, _nrt=False, forceinline=True)(function))


@cache
def sources() -> str:
    """Hash of every file whose code is compiled: this one, and those that import it."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("_*.py")):
        source = path.read_bytes()
        if __name__.encode() in source or path.samefile(__file__):
            digest.update(source)
    return digest.hexdigest()


def _kept(dispatcher: Any) -> Any:
    """numba takes compiled code for current while the function's own file is unchanged. What a caller has inlined from
    another file would go stale unseen: let every file count."""
    dispatcher._cache._cache_file._source_stamp = sources()
    return dispatcher


def addresses(*arrays: NDArray[Any]) -> NDArray[np.int64]:
    """Address and length of arrays, one after the other: int64 [2 * arrays]. To hand an array over costs a call 0.2 us,
    as much as a word; tables that stay are handed over as one. Keep the arrays as long as their addresses."""
    return np.array([number for array in arrays for number in (array.ctypes.data, len(array))], dtype=np.int64)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [index])


@intrinsic
def get(typingctx: Any, array: Any, index: Any) -> Any:
    """array[index], 0 <= index < len(array)."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *values)
        return context.unpack_value(builder, array.dtype, pointer)

    return array.dtype(array, types.intp), codegen


def _array(context: Any, builder: Any, kind: Any, address: Any, length: Any) -> Any:
    element = context.get_data_type(kind.dtype)
    item = context.get_constant(types.intp, context.get_abi_sizeof(element))
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(address, element.as_pointer())
    arrayobj.populate_array(array, data, [length], [item], item, meminfo=None)
    return array._getvalue()


@intrinsic
def array_from(typingctx: Any, address: Any, length: Any, dtype: Any) -> Any:
    """The array of `length` elements that stands at an address."""
    kind = types.Array(dtype.instance_type, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _array(context, builder, kind, *values[:2])

    return kind(types.intp, types.intp, dtype), codegen


@intrinsic
def array_at(typingctx: Any, tables: Any, index: Any, dtype: Any) -> Any:
    """The array whose address and length `addresses` gave as its number `index`."""
    kind = types.Array(dtype.instance_type, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = builder.mul(values[1], context.get_constant(types.intp, 2))
        pointer = _pointer(context, builder, signature.args[0], values[0], place)
        after = builder.gep(pointer, [context.get_constant(types.intp, 1)])
        return _array(context, builder, kind, builder.load(pointer), builder.load(after))

    return kind(tables, types.intp, dtype), codegen


@intrinsic
def put(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index] = value, 0 <= index < len(array)."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], values[0], values[1])
        context.pack_value(builder, array.dtype, values[2], pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def load8(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a byte array as one little-endian uint64; the array must have them."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = context.get_value_type(types.uint64)
        pointer = builder.bitcast(_pointer(context, builder, signature.args[0], *values), word.as_pointer())
        loaded = builder.load(pointer)
        loaded.align = 1
        return loaded

    return types.uint64(array, types.intp), codegen


@intrinsic
def store8(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a uint64 over the eight bytes from array[index] on, whatever the array's type."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word = context.get_value_type(types.uint64)
        pointer = _pointer(context, builder, signature.args[0], values[0], values[1])
        builder.store(values[2], builder.bitcast(pointer, word.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), codegen


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Bits below the lowest set bit of a uint64; 64 where none is set."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.zext(builder.cttz(values[0], cgutils.false_bit), context.get_value_type(types.intp))

    return types.intp(types.uint64), codegen


@intrinsic
def bytes_within(typingctx: Any, array: Any, index: Any, fold: Any, low: Any, high: Any) -> Any:
    """Of the 64 bytes from array[index] on, which lie between two values: a uint64 whose bit i says
    low <= array[index + i] | fold <= high. One comparison of vectors, whatever the machine calls them."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        block = ir.VectorType(ir.IntType(8), 64)
        pointer = _pointer(context, builder, signature.args[0], *values[:2])
        loaded = builder.load(builder.bitcast(pointer, block.as_pointer()))
        loaded.align = 1
        none, first = ir.Constant(block, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        fold, low, high = (
            builder.shuffle_vector(builder.insert_element(none, value, ir.IntType(32)(0)), none, first)
            for value in values[2:]
        )
        offset = builder.sub(builder.or_(loaded, fold), low)  # below low it wraps around
        within = builder.icmp_unsigned("<=", offset, builder.sub(high, low))
        return builder.bitcast(within, context.get_value_type(types.uint64))

    return types.uint64(array, types.intp, types.uint8, types.uint8, types.uint8), codegen
