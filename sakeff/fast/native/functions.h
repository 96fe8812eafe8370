// Elementary functions in a form that compilers turn into vector code.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace sakeff {

template <typename scalar>
struct ExponentLimits;

// The results stay normal numbers: denormal ones are slow, and too small to matter.
template <>
struct ExponentLimits<float> {
  static constexpr float lowest = -87.0f, highest = 88.0f;
  static constexpr int terms = 7, mantissa = 23, bias = 127;
  using integer = int32_t;
};
template <>
struct ExponentLimits<double> {
  static constexpr double lowest = -708.0, highest = 709.0;
  static constexpr int terms = 13, mantissa = 52, bias = 1023;
  using integer = int64_t;
};

// e^x - 1 and e^x share their parts: 2^n, and the Taylor series of e^r - 1 with |r| <= ln(2) / 2.
template <typename scalar>
struct Exponential {
  scalar power, rest;

  explicit Exponential(scalar x) {
    using limits = ExponentLimits<scalar>;
    using integer = typename limits::integer;
    x = x < limits::lowest ? limits::lowest : x;
    x = x > limits::highest ? limits::highest : x;
    const scalar n = std::nearbyint(x * scalar(1.4426950408889634));
    const scalar r = x - n * scalar(0.6931471805599453);
    scalar series = 1;
    for (int k = limits::terms; k > 1; --k) series = 1 + series * r * (scalar(1) / k);
    rest = series * r;
    const integer bits = (static_cast<integer>(n) + limits::bias) << limits::mantissa;
    std::memcpy(&power, &bits, sizeof power);
  }
};

template <typename scalar>
inline scalar exponential(scalar x) {
  const Exponential<scalar> e(x);
  // Beyond the range the result is infinite, as it is in torch: what becomes NaN there must become NaN here.
  constexpr scalar infinity = std::numeric_limits<scalar>::infinity();
  return x > ExponentLimits<scalar>::highest ? infinity : e.power + e.power * e.rest;
}

// (e^2x - 1) / (e^2x + 1) with the error of one rounding, not of a cancellation, where tanh is small.
template <typename scalar>
inline scalar tanh_of(scalar x) {
  const Exponential<scalar> e(2 * x);
  const scalar minus_one = e.power * e.rest + (e.power - 1);
  return minus_one / (minus_one + 2);
}

template <typename scalar>
inline scalar sigmoid(scalar x) {
  return 1 / (1 + exponential(-x));
}

template <typename scalar>
inline scalar silu(scalar x) {
  return x * sigmoid(x);
}

template <typename scalar>
inline scalar silu_slope(scalar x) {
  const scalar s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

}  // namespace sakeff
