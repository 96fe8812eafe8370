// Real spherical harmonics of pair directions with their derivatives; conventions of sakeff/nn/spherical.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "blocks.h"

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

// Vectors (P, 3) to distances (P) and harmonics (P, M).
class PairGeometry : public torch::autograd::Function<PairGeometry> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& vector, const std::vector<int64_t>& degrees) {
    const Tensor rows = vector.contiguous();
    const int64_t n = rows.size(0), orders = n_orders(degrees);
    Tensor distance = at::empty({n}, rows.options()), harmonics = at::empty({n, orders}, rows.options());
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "pair_geometry", [&] {
      const scalar_t* v = rows.const_data_ptr<scalar_t>();
      scalar_t* r = distance.mutable_data_ptr<scalar_t>();
      scalar_t* out = harmonics.mutable_data_ptr<scalar_t>();
      for_chunks(even_starts(n, n_chunks(n)), [&](int64_t, int64_t begin, int64_t end) {
        Harmonics<scalar_t> y(degrees);
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t* e = v + 3 * p;
          r[p] = std::sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2]);
          y.prepare(e[0] / r[p], e[1] / r[p], e[2] / r[p]);
          y.values(out + orders * p);
        }
      });
    });
    context->save_for_backward({rows, distance});
    context->saved_data["degrees"] = degrees;
    return {distance, harmonics};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> degrees = context->saved_data["degrees"].toIntVector();
    const Tensor& rows = saved[0];
    const int64_t n = rows.size(0), orders = n_orders(degrees);
    const Tensor by_distance = gradients[0].defined() ? gradients[0].contiguous() : at::zeros({n}, rows.options());
    const Tensor by_harmonics =
        gradients[1].defined() ? gradients[1].contiguous() : at::zeros({n, orders}, rows.options());
    Tensor result = at::empty({n, 3}, rows.options());
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "pair_geometry_backward", [&] {
      const scalar_t* v = rows.const_data_ptr<scalar_t>();
      const scalar_t* r = saved[1].const_data_ptr<scalar_t>();
      const scalar_t* gr = by_distance.const_data_ptr<scalar_t>();
      const scalar_t* gy = by_harmonics.const_data_ptr<scalar_t>();
      scalar_t* out = result.mutable_data_ptr<scalar_t>();
      for_chunks(even_starts(n, n_chunks(n)), [&](int64_t, int64_t begin, int64_t end) {
        Harmonics<scalar_t> y(degrees);
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t unit[3] = {v[3 * p] / r[p], v[3 * p + 1] / r[p], v[3 * p + 2] / r[p]};
          scalar_t g[3];
          y.prepare(unit[0], unit[1], unit[2]);
          y.pull_back(gy + orders * p, g);
          const scalar_t along = unit[0] * g[0] + unit[1] * g[1] + unit[2] * g[2];
          for (int a = 0; a < 3; ++a) out[3 * p + a] = gr[p] * unit[a] + (g[a] - along * unit[a]) / r[p];
        }
      });
    });
    return {result, Tensor()};
  }
};

}  // namespace sakeff
