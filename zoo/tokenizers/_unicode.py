"""What the patterns ask of a character: is it a letter (of which case), a mark, a number, white space or none of them.

The classes are those of Unicode 16.0 as Rust's `regex` crate has them, which tiktoken 0.14 uses; a table of our own,
because a vocabulary must cut text alike on every machine, whatever Unicode its Python or its `regex` package knows.
A test holds the table equal to tiktoken's, code point by code point.
"""

from __future__ import annotations

import base64
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

OTHER = 0  # punctuation, symbols, controls, unassigned
UPPER = 1  # Lu, Lt
LOWER = 2  # Ll
LETTER = 3  # Lm, Lo: letters without case
MARK = 4  # M
NUMBER = 5  # N
SPACE = 6  # White_Space, what \\s means

NUM_CODE_POINTS = 0x110000
_CLASS_BITS = 3

# Runs of one class, from U+0000 on: (length << 3 | class) as LEB128, deflated, in base 64.
_RUNS = (
    "eNq1V29oW9cV59z37BzpXnvXei/h2Xoez9FL9xIpQ41sUGIZZMsZauyAmfPAa71OkAzMnILZ/MFbElAjd2g4H7w4gzRewKsTMHNXlKoDtc4g"
    "q/fBqygkNYOsWiGrGRjcDIMW6PDKdp7sjGXQhqaEg+6/d+455557zu9cpb85DY0TbvwORD+Agcbb0Jjm8d3oNxo4tuLbgIffBezx+Z+IAo+Z"
    "P4aavLalqTZqDrR5Lc2aHn4L1Na9cYD7WkLelyb/YzUGPJ5mv+9J6QhpIaltD+e/VvmHMAPWybFwnCPPw+Qub52jzy95C/qiPmxGHzb5fwb4"
    "3BXmCzS3fI7kAz4/eod5VTmvPN4QTDzZAZq+woV8ecIbTPLoeyz5CUOBOpFIVsAKrcOwU2Gvg2tpYrYeeUK2azramhuUPAtcVOEvIMt1w3zM"
    "nWL9msWlkEWweT83eWQaymBaLzjLgLFk/yr7A+AFVlRMfgl4YlCXLubAxJTUaAt2IjdCUpAGXZo8KSwNg8SiyQ7JUUgTY9YOn+aRFBixiNMQ"
    "8RDyuKsHxZCJfRjEHZ4wyepFE03JJzQSlObt+D/KthlqyuLmji7kHQOCY8wIYsjQkKNmaEbQOGlFDBNt8o8Ye2kkkiIdS0Cme/tJpB3Xkbwh"
    "PSXJLuSkZJtjcFvFNkuUbPZUaCJje1aWmb79iTtB0UXar5KTaD4DBrmrD7nsNITVTpfRG3WlPpJThJZwOnvRLTHPtDASG8dBofVzGaZRAl0Z"
    "yjJeAj16HWgfkaWncJ5Z1wD18DBeY2mxolTYNeBuNGaHTG5qiaA9eooL15Y3GPocn/yQIW8p6xiSdCHUlhk1U+y/8zNYVqibVaWZvg5GDrJw"
    "o04eMtaekVPQuApORTVaU/EZsNOzYA7NgJ4ZpePqmXllkhnc4kK6UTdP9y7caLkuHtZnmOBOUR3YAjxlnRpwqyDDQ2vMWoXodxfYEkSsReUE"
    "fkLupo0jPPkvyCuRLXYBUgbJ6c+YVTituWtsPDNPR0u6RtCdZ/KYz+/8mcnmLGl6HUIiJjSTOx+zLeUH/CJbZJPq006pJ6JjT19D9yH5rOzp"
    "7tnuCfJq1NP9w9piT/cBDOynutJCnbFXBtqsnv1ObfLiOuxxGj9ljVlo4LLDoSgavaxcYHnwWT5JyN9MuGjsj25LbEPC3pBfBpoc317Lj1cJ"
    "Kw8WDv5N2VR/C4VvPIB733q5BqDNO+DW5sHcIa356Ts5EPU60+dPN8g3Gfodv1xW4nxCLEG6Ex+lSfYp49nWRktrWIHj7ZTSrZpVrCPcCOJq"
    "HYYIHbFaZ+wbyLGsQtnA3E04iueoL7FzWT33SyWrbqz7L6tVJjck5YurzcGXs5fbeAL5F3FoelF19QXWJx9Zb/lqfuI9j9YhXpPOP0/wfqJH"
    "V9pq22kXEu0sLkDQ5w/6O0VQhISX3MLoGJhXMvqMcgkG3OgliBkEvMJdg165BKczG2DYW2x8jKItLAbdMCHneDooUgSm0SUwuDmjCAIyPaxz"
    "wW9BUL4QkUF9ICaJardJiBY6xqPn62ZZL3q75t+pyyyBNaXMTavVPXK1vsCOZA44XAziKHpQ6hWYtfo8q+yZhpwqi8otdtKaJKSjnxrGJbwM"
    "Ow+xoXKdUdMkg5fZSVwFnAXafEb+aJpVdmXus8z7Sh5253eJaaSDTCkT4iOwcmxfeh4aUg1OkUUcwjvC6BQevM1+z95lVZVM/BWzXmPWMkuS"
    "Z76DP8bD2ITP40/wCAYMWlrS0kUYSN2CGK4y7FtQY1Qj1xjVK04+k0fp17UFyeNZxTPHOViEDoLTgrqsWLu1V0A+YFSldMcOETJvgDQtcbwE"
    "G7CbJq1ZlsI10K2DWSgqA0WSNgvO0RkoQVe2rqyWlFeVkStKvGOe2UkC5NgNMCLI34TbDZ+BZ41uaFkIlhR7A1yeLMLwvrv07LJvs0XomgPK"
    "MHNROTv0AISm87S9wYbjYqQMcTdqzrNxdC2u8+QsE5KnzZwyHrJs1F16r1nXgYoJluFUVGhiU6lVIzyDg/Etdspxo/YjpR317dLu1WwnrMuE"
    "ERkapJrKsUj1rZ/eEwJtjFDEjOjrsEihF3JcSwQ3IadcA6qvSbfg32IJ2V+CkD7NcsoFCrUht8Aq7DS9NqjC3oMKyLPW963OFb7Gzi7Uv8zO"
    "s6uQSdFTIEU2LEM7RZtNKvSMW1BTconEJegk4i7wE8sswe2kSPLhKpsk0fRUUktiik240T5cpEDt5RP3wYuNtwDHV1TvVEXWbnhvswQX5PkY"
    "reRYhOYRMqigzVLFpRQYxRlGpx1xxUIdn/gN3GWrhwv1n9XnYV7cuwZT9RO5VBZE7OxA5Z/gLNkri0oVLoFbOF0OxakEu9EtlRpSHBnKKYl0"
    "KONiFy6CMwvZ4AYz3ILwDvo7WKmvqJbgN5W4PZpVyWViSB9b/jdLFo+vsMHSG2qodhWzgQm+TlnJx0LJNWNuGir1zqjRFx809PwrzC1Y/2Dy"
    "Jmy2RYz2ZK9MbII95zPv7roOGXJx/ftQwjvwAdyBI3gRvBG90KVPNsk27N5LsHIEn/dWm7BNdlOW1Ea4n8qQN97e+f+/j0H+EfA9wENf1NG/"
    "gl8oWeumYl1SkmJMFCCCZ7NHv81fg+ihhYYEXgCZ8JzvVJU8E9ld5JtEp6T4zetVEHlYY7ZbaF0DahuqoHN34eudFLEEDrgo5PHECvs5u0hR"
    "YLmlZz9S6D/cvnvqfYbnpkUIKx6IeNE6SDsoZKL0bvJ6Stft9YfkzTw/h2p8gzgFTpCifwrm7Jcuv0G3msz9Xc+y1RyLVhvkzDobm1pVJqrP"
    "TF+Batv0i5W3mJP7Kcv+qcImv5b96/f+AwvWcfM="
)


@cache
def classes() -> NDArray[np.uint8]:
    """The class of every code point: uint8 [0x110000]."""
    lengths, kinds, value, shift = [], [], 0, 0
    for byte in zlib.decompress(base64.b64decode(_RUNS)):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            lengths.append(value >> _CLASS_BITS)
            kinds.append(value & (2**_CLASS_BITS - 1))
            value = shift = 0
    return np.repeat(np.array(kinds, dtype=np.uint8), lengths)


@cache
def blocks() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """The same in two steps, small enough for a processor's cache: (number of the block of 256 code points, uint16
    [4352]; classes of each distinct block, uint8 [blocks * 256])."""
    distinct, index = np.unique(classes().reshape(-1, 256), axis=0, return_inverse=True)
    return index.reshape(-1).astype(np.uint16), np.ascontiguousarray(distinct).reshape(-1)
