// The atomwise interaction of So3krates (eqs. 17-19), fused; equations and shapes in sakeff/fast/so3krates.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <utility>
#include <vector>

#include "blocks.h"
#include "harmonics.h"
#include "network.h"

namespace sakeff {

// What does not depend on the structure. L degrees, M orders, F features.
struct InteractionWeights {
  Network network;        // of [features, norms, norms of the coupled SPHC] to [increments, scales of the degrees]
  Tensor coupled_scale;   // (L, L)
  Tensor coupling;        // (T), terms of eq. 19: coupled[index 2] += coupling sphc[index 0] sphc[index 1]
  Tensor coupling_index;  // (T, 3)
  std::vector<int64_t> degrees;
  double softening;

  InteractionWeights(const Tensor* t, std::vector<int64_t> degrees_, double softening_)
      : network(t), coupled_scale(t[Network::n_tensors]), coupling(t[Network::n_tensors + 1]),
        coupling_index(t[Network::n_tensors + 2]), degrees(std::move(degrees_)), softening(softening_) {}

  static constexpr size_t n_tensors = Network::n_tensors + 3;
};

// One atom.
template <typename scalar>
class SphcStep {
 public:
  explicit SphcStep(const InteractionWeights& weights)
      : w_(weights), L_(weights.degrees.size()), coupling_(weights.coupling.const_data_ptr<scalar>()),
        index_(weights.coupling_index.const_data_ptr<int64_t>()),
        scale_(weights.coupled_scale.const_data_ptr<scalar>()), softening_(weights.softening) {}

  // Eq. 19; coupled (M) must be zero.
  void couple(const scalar* sphc, scalar* coupled) const {
    for (int64_t t = 0; t < w_.coupling.size(0); ++t) {
      const int64_t* i = index_ + 3 * t;
      coupled[i[2]] += coupling_[t] * sphc[i[0]] * sphc[i[1]];
    }
  }

  void couple_backward(const scalar* sphc, const scalar* by_coupled, scalar* by_sphc) const {
    for (int64_t t = 0; t < w_.coupling.size(0); ++t) {
      const int64_t* i = index_ + 3 * t;
      const scalar g = coupling_[t] * by_coupled[i[2]];
      by_sphc[i[0]] += g * sphc[i[1]];
      by_sphc[i[1]] += g * sphc[i[0]];
    }
  }

  // Smooth norms (L) of x (M).
  void norms(const scalar* x, scalar* out) const {
    for (const int64_t l : w_.degrees) {
      *out++ = length(x, 2 * l + 1) - softening_;
      x += 2 * l + 1;
    }
  }

  void norms_backward(const scalar* x, const scalar* by_norms, scalar* by_x) const {
    for (const int64_t l : w_.degrees) {
      const int64_t n = 2 * l + 1;
      const scalar size = length(x, n), factor = size > 0 ? *by_norms / size : scalar(0);
      for (int64_t m = 0; m < n; ++m) by_x[m] += factor * x[m];
      ++by_norms;
      x += n;
      by_x += n;
    }
  }

  // Scales (L) of the coupled SPHC: W norms.
  scalar coupled_scale(const scalar* norms, int64_t l) const {
    scalar sum = 0;
    for (int64_t k = 0; k < L_; ++k) sum += scale_[L_ * l + k] * norms[k];
    return sum;
  }

  // sphc (M) to sphc + own sphc + cross coupled, degree by degree.
  void step(const scalar* sphc, const scalar* coupled, const scalar* own, const scalar* coupled_norms,
            scalar* out) const {
    for (int64_t k = 0; k < L_; ++k) {
      const scalar cross = coupled_scale(coupled_norms, k);
      for (int64_t m = 0; m < 2 * w_.degrees[k] + 1; ++m, ++sphc, ++coupled)
        *out++ = *sphc + own[k] * *sphc + cross * *coupled;
    }
  }

  void step_backward(const scalar* sphc, const scalar* coupled, const scalar* own, const scalar* coupled_norms,
                     const scalar* by_out, scalar* by_sphc, scalar* by_coupled, scalar* by_own,
                     scalar* by_coupled_norms) const {
    for (int64_t k = 0; k < L_; ++k) {
      const scalar cross = coupled_scale(coupled_norms, k);
      scalar by_cross = 0, by_scale = 0;
      for (int64_t m = 0; m < 2 * w_.degrees[k] + 1; ++m, ++by_out, ++sphc, ++coupled) {
        by_scale += *by_out * *sphc;
        by_cross += *by_out * *coupled;
        *by_sphc++ = *by_out * (1 + own[k]);
        *by_coupled++ = *by_out * cross;
      }
      by_own[k] = by_scale;
      for (int64_t q = 0; q < L_; ++q) by_coupled_norms[q] += scale_[L_ * k + q] * by_cross;
    }
  }

 private:
  scalar length(const scalar* x, int64_t n) const {
    scalar square = softening_ * softening_;
    for (int64_t m = 0; m < n; ++m) square += x[m] * x[m];
    return std::sqrt(square);
  }

  const InteractionWeights& w_;
  int64_t L_;
  const scalar* coupling_;
  const int64_t* index_;
  const scalar* scale_;
  scalar softening_;
};

// Features (N, F) and SPHC (N, M) to their next values.
class AtomwiseInteraction : public torch::autograd::Function<AtomwiseInteraction> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& scalars, const Tensor& sphc,
      const std::vector<Tensor>& weights, const std::vector<int64_t>& degrees, double softening) {
    const InteractionWeights w(weights.data(), degrees, softening);
    const int64_t N = scalars.size(0), F = scalars.size(1), M = sphc.size(1), L = degrees.size();
    const auto options = sphc.options();
    const Tensor features = scalars.contiguous(), chi = sphc.contiguous();
    const Tensor coupled = at::zeros({N, M}, options), before = at::empty({N, w.network.hidden()}, options);
    const Tensor output = at::empty({N, w.network.out()}, options);
    Tensor next_features = at::empty({N, F}, options), next_chi = at::empty({N, M}, options);
    AT_DISPATCH_FLOATING_TYPES(sphc.scalar_type(), "atomwise_interaction", [&] {
      const Rows<const scalar_t> s{features.const_data_ptr<scalar_t>(), F}, x{chi.const_data_ptr<scalar_t>(), M};
      const Rows<scalar_t> c{coupled.mutable_data_ptr<scalar_t>(), M};
      const Rows<scalar_t> y{output.mutable_data_ptr<scalar_t>(), output.size(1)};
      const Rows<scalar_t> to_s{next_features.mutable_data_ptr<scalar_t>(), F};
      const Rows<scalar_t> to_x{next_chi.mutable_data_ptr<scalar_t>(), M};
      const SphcStep<scalar_t> step(w);
      for_atoms(N, [&](int64_t begin, int64_t end) {
        const int64_t n_in = F + 2 * L;
        std::vector<scalar_t> inputs((end - begin) * n_in);
        for (int64_t i = begin; i < end; ++i) {
          scalar_t* row = inputs.data() + (i - begin) * n_in;
          std::copy(s[i], s[i] + F, row);
          step.couple(x[i], c[i]);
          step.norms(x[i], row + F);
          step.norms(c[i], row + F + L);
        }
        w.network.apply<scalar_t>({inputs.data(), n_in}, end - begin,
                                  before.mutable_data_ptr<scalar_t>() + begin * before.size(1), {y[begin], y.stride});
        for (int64_t i = begin; i < end; ++i) {
          for (int64_t f = 0; f < F; ++f) to_s[i][f] = s[i][f] + y[i][f];
          step.step(x[i], c[i], y[i] + F, inputs.data() + (i - begin) * n_in + F + L, to_x[i]);
        }
      });
    });
    torch::autograd::variable_list saved{chi, coupled, before, output};
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["degrees"] = degrees;
    context->saved_data["softening"] = softening;
    return {next_features, next_chi};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> degrees = context->saved_data["degrees"].toIntVector();
    const InteractionWeights w(saved.data() + N_ARRAYS, degrees, context->saved_data["softening"].toDouble());
    const auto options = saved[0].options();
    const int64_t N = saved[0].size(0), M = saved[0].size(1), L = degrees.size(), F = w.network.first.in() - 2 * L;
    const Tensor by_features = gradients[0].contiguous();
    const Tensor by_chi = gradients[1].contiguous();
    Tensor to_features = at::empty({N, F}, options), to_chi = at::empty({N, M}, options);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "atomwise_interaction_backward", [&] {
      const Rows<const scalar_t> x{saved[0].const_data_ptr<scalar_t>(), M}, c{saved[1].const_data_ptr<scalar_t>(), M};
      const Rows<const scalar_t> y{saved[3].const_data_ptr<scalar_t>(), saved[3].size(1)};
      const Rows<const scalar_t> by_s{by_features.const_data_ptr<scalar_t>(), F};
      const Rows<const scalar_t> by_x{by_chi.const_data_ptr<scalar_t>(), M};
      const Rows<scalar_t> to_s{to_features.mutable_data_ptr<scalar_t>(), F};
      const Rows<scalar_t> to_x{to_chi.mutable_data_ptr<scalar_t>(), M};
      const SphcStep<scalar_t> step(w);
      for_atoms(N, [&](int64_t begin, int64_t end) {
        const int64_t rows = end - begin, n_out = F + L, n_in = padded(F + 2 * L);
        std::vector<scalar_t> by_output(rows * n_out), by_input(rows * n_in), by_coupled(rows * M), norms(L),
            by_norms(rows * L, 0);
        for (int64_t i = begin; i < end; ++i) {
          scalar_t* row = by_output.data() + (i - begin) * n_out;
          std::copy(by_s[i], by_s[i] + F, row);
          step.norms(c[i], norms.data());
          step.step_backward(x[i], c[i], y[i] + F, norms.data(), by_x[i], to_x[i], by_coupled.data() + (i - begin) * M,
                             row + F, by_norms.data() + (i - begin) * L);
        }
        w.network.pull_back<scalar_t>({by_output.data(), n_out}, rows,
                                      saved[2].const_data_ptr<scalar_t>() + begin * saved[2].size(1),
                                      {by_input.data(), n_in});
        for (int64_t i = begin; i < end; ++i) {
          const scalar_t* row = by_input.data() + (i - begin) * n_in;
          scalar_t *to_norms = by_norms.data() + (i - begin) * L, *to_coupled = by_coupled.data() + (i - begin) * M;
          for (int64_t f = 0; f < F; ++f) to_s[i][f] = by_s[i][f] + row[f];
          for (int64_t k = 0; k < L; ++k) to_norms[k] += row[F + L + k];
          step.norms_backward(x[i], row + F, to_x[i]);
          step.norms_backward(c[i], to_norms, to_coupled);
          step.couple_backward(x[i], to_coupled, to_x[i]);
        }
      });
    });
    torch::autograd::variable_list result(5);
    result[0] = to_features;
    result[1] = to_chi;
    return result;
  }

 private:
  static constexpr size_t N_ARRAYS = 4;
};

}  // namespace sakeff
