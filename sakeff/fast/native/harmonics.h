// Real spherical harmonics of pair directions with their derivatives; conventions of sakeff/nn/spherical.py.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace sakeff {

// Y_lm = N_lm Q_l^|m|(z) A_|m|(x, y) for all degrees up to l_max, and their gradients in (x, y, z), taken as
// independent variables: dQ_l^m/dz = Q_l^(m+1), and A_m + i B_m = (x + i y)^m has the derivative m (x + i y)^(m-1).
template <typename scalar>
class Harmonics {
 public:
  explicit Harmonics(at::IntArrayRef degrees) : degrees_(degrees.vec()) {
    l_max_ = *std::max_element(degrees_.begin(), degrees_.end());
    cosine_.resize(l_max_ + 2);
    sine_.resize(l_max_ + 2);
    q_.assign(l_max_ + 1, std::vector<scalar>(l_max_ + 2, 0));
    norm_.assign(l_max_ + 1, std::vector<scalar>(l_max_ + 1));
    for (int64_t l = 0; l <= l_max_; ++l)
      for (int64_t m = 0; m <= l; ++m)
        norm_[l][m] = std::sqrt((m == 0 ? 1.0 : 2.0) * std::tgamma(l - m + 1.0) / std::tgamma(l + m + 1.0));
  }

  void prepare(scalar x, scalar y, scalar z) {
    cosine_[0] = 1;
    sine_[0] = 0;
    for (int64_t m = 0; m < l_max_; ++m) {
      cosine_[m + 1] = x * cosine_[m] - y * sine_[m];
      sine_[m + 1] = x * sine_[m] + y * cosine_[m];
    }
    scalar diagonal = 1;
    for (int64_t l = 0; l <= l_max_; ++l) {
      for (int64_t m = 0; m < l; ++m) {
        scalar value = (2 * l - 1) * z * q_[l - 1][m];
        if (m < l - 1) value -= (l + m - 1) * q_[l - 2][m];
        q_[l][m] = value / (l - m);
      }
      q_[l][l] = diagonal;
      diagonal *= 2 * l + 1;
    }
  }

  void values(scalar* out) const {
    for (const int64_t l : degrees_)
      for (int64_t m = -l; m <= l; ++m) *out++ = norm(l, m) * q_[l][std::abs(m)] * azimuth(m);
  }

  // sum over orders of gradient[m] times the gradient of Y_m in x, y and z.
  void pull_back(const scalar* gradient, scalar* out) const {
    out[0] = out[1] = out[2] = 0;
    for (const int64_t l : degrees_) {
      for (int64_t m = -l; m <= l; ++m) {
        const int64_t k = std::abs(m);
        const scalar g = *gradient++ * norm(l, m);
        if (k > 0) {
          // (A, B)_k' = k (A, B)_(k-1) along x and k (-B, A)_(k-1) along y.
          const scalar along_x = m < 0 ? sine_[k - 1] : cosine_[k - 1];
          const scalar along_y = m < 0 ? cosine_[k - 1] : -sine_[k - 1];
          out[0] += g * q_[l][k] * k * along_x;
          out[1] += g * q_[l][k] * k * along_y;
        }
        if (k < l) out[2] += g * q_[l][k + 1] * azimuth(m);
      }
    }
  }

 private:
  scalar norm(int64_t l, int64_t m) const { return norm_[l][std::abs(m)]; }
  scalar azimuth(int64_t m) const { return m < 0 ? sine_[-m] : cosine_[m]; }

  std::vector<int64_t> degrees_;
  int64_t l_max_;
  std::vector<scalar> cosine_, sine_;
  std::vector<std::vector<scalar>> q_, norm_;
};

inline int64_t n_orders(at::IntArrayRef degrees) {
  int64_t total = 0;
  for (const int64_t l : degrees) total += 2 * l + 1;
  return total;
}

// Y_lm(-n) = (-1)^l Y_lm(n): the sign of each order.
template <typename scalar>
std::vector<scalar> parities(at::IntArrayRef degrees) {
  std::vector<scalar> signs;
  for (const int64_t l : degrees) signs.insert(signs.end(), 2 * l + 1, l % 2 == 0 ? scalar(1) : scalar(-1));
  return signs;
}

}  // namespace sakeff
