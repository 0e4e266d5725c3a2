"""exp, sigmoid and tanh of a vector, to about two units in the last place of float32; NaN stays NaN."""

import math

from llvmlite import ir

from unrolled.kernels.cpu.emit import INT32, Code, Number, constant

# exp: the remainder after a multiple of ln 2, in two parts, and the polynomial of the Cephes library (expf.c)
EXP_RANGE = (-87.3, 88.3)
LOG2_E = 1.44269504088896341
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
ROUND = 12582912.0  # 1.5 * 2**23: a float this large holds its integer in the lowest bits

# tanh near zero: x + x^3 P(x^2), the polynomial of the Cephes library (tanhf.c)
TANH_NEAR = 0.625
TANH = (-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)


def exp(x: Number) -> Number:
    """e to the x, clamped to the range of float32."""
    code: Code = x.code
    x = x.at_least(EXP_RANGE[0]).at_most(EXP_RANGE[1])
    shifted = code.fused(x, code.number(LOG2_E), code.number(ROUND))
    count = shifted - ROUND  # multiples of ln 2
    rest = code.fused(count, code.number(-LN2_LOW), code.fused(count, code.number(-LN2_HIGH), x))
    series = polynomial(rest, EXP)
    series = code.fused(series * rest, rest, rest) + 1.0
    integers = ir.VectorType(INT32, code.machine.width)
    bits = code.builder.bitcast(shifted.value, integers)
    power = code.builder.add(code.builder.shl(bits, constant(integers, 23)), constant(integers, 127 << 23))
    return series * Number(code, code.builder.bitcast(power, code.vector_type))


def power(x: Number) -> Number:
    """e to the x, infinite above the range of float32; as `exp` below it."""
    code: Code = x.code
    return code.choose(x.compare(">", EXP_RANGE[1]), code.number(math.inf), exp(x))


def sigmoid(x: Number) -> Number:
    """1 / (1 + e^-x); exactly 0 where the power leaves the range of float32."""
    return 1.0 / (power(-x) + 1.0)


def tanh(x: Number) -> Number:
    """Compute the hyperbolic tangent; its distance from 1, which gradients need, is exact too."""
    code: Code = x.code
    negative = x.compare("<", 0.0)
    size = code.choose(negative, -x, x)
    far = 1.0 - 2.0 / (exp(size * 2.0) + 1.0)
    square = x * x
    near = code.fused(polynomial(square, TANH) * square, x, x)
    return code.choose(size.compare("<", TANH_NEAR), near, code.choose(negative, -far, far))


def relu(x: Number) -> Number:
    """x where it is positive, else 0."""
    return x.at_least(0.0)


def polynomial(x: Number, coefficients: tuple[float, ...]) -> Number:
    """Horner's rule, the highest power first."""
    total = x.code.number(coefficients[0])
    for coefficient in coefficients[1:]:
        total = x.code.fused(total, x, x.code.number(coefficient))
    return total
