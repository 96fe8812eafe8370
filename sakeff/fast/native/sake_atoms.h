// What a SAKE layer does on atoms after the sums over edges (eqs. 4, 6, 12, 13), fused; shapes in sakeff/fast/sake.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "blocks.h"
#include "functions.h"
#include "network.h"

namespace sakeff {

// What does not depend on the structure. F width, A = H F, C coefficients.
struct AtomWeights {
  Network spatial;  // squared norms of the combinations (C) to F
  Network node;     // [features, aggregated, spatial] to F
  Network scale;    // features to 1
  Tensor mixing;    // (C), of the combinations into a push

  explicit AtomWeights(const Tensor* t)
      : spatial(t), node(t + Network::n_tensors), scale(t + 2 * Network::n_tensors),
        mixing(t[3 * Network::n_tensors]) {}
};

// Features (N, F), displacement and velocity (N, 3) to their next values.
class AtomLayer : public torch::autograd::Function<AtomLayer> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& scalars, const Tensor& displacement,
      const Tensor& velocity, const Tensor& aggregated, const Tensor& combinations,
      const std::vector<Tensor>& weights) {
    const AtomWeights w(weights.data());
    const int64_t N = scalars.size(0), F = scalars.size(1), A = aggregated.size(1), C = combinations.size(1);
    const auto options = scalars.options();
    const Tensor features = scalars.contiguous(), shift = displacement.contiguous(), speed = velocity.contiguous();
    const Tensor sums = aggregated.contiguous(), vectors = combinations.contiguous();
    const Tensor before_spatial = at::empty({N, w.spatial.hidden()}, options);
    const Tensor before_node = at::empty({N, w.node.hidden()}, options);
    const Tensor before_scale = at::empty({N, w.scale.hidden()}, options), factor = at::empty({N}, options);
    Tensor next_features = at::empty({N, F}, options), next_shift = at::empty({N, 3}, options);
    Tensor next_speed = at::empty({N, 3}, options);
    AT_DISPATCH_FLOATING_TYPES(scalars.scalar_type(), "atom_layer", [&] {
      const scalar_t* mixing = w.mixing.const_data_ptr<scalar_t>();
      const scalar_t *s = features.const_data_ptr<scalar_t>(), *a = sums.const_data_ptr<scalar_t>();
      const scalar_t *c = vectors.const_data_ptr<scalar_t>(), *u = shift.const_data_ptr<scalar_t>();
      const scalar_t* v = speed.const_data_ptr<scalar_t>();
      scalar_t *to_s = next_features.mutable_data_ptr<scalar_t>(), *to_u = next_shift.mutable_data_ptr<scalar_t>();
      scalar_t *to_v = next_speed.mutable_data_ptr<scalar_t>(), *kept = factor.mutable_data_ptr<scalar_t>();
      for_atoms(N, [&](int64_t begin, int64_t end) {
        const int64_t rows = end - begin, n_in = F + A + w.spatial.out();
        std::vector<scalar_t> norms(rows * C), input(rows * n_in), output(rows * w.node.out()),
            scale(rows * w.scale.out());
        for (int64_t x = 0; x < rows * C; ++x) {
          const scalar_t* vector = c + 3 * (begin * C + x);
          norms[x] = vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2];
        }
        w.spatial.apply<scalar_t>({norms.data(), C}, rows, at_row<scalar_t>(before_spatial, begin),
                                  {input.data() + F + A, n_in});
        for (int64_t i = 0; i < rows; ++i) {
          std::copy_n(s + (begin + i) * F, F, input.data() + i * n_in);
          std::copy_n(a + (begin + i) * A, A, input.data() + i * n_in + F);
        }
        w.node.apply<scalar_t>({input.data(), n_in}, rows, at_row<scalar_t>(before_node, begin),
                               {output.data(), w.node.out()});
        w.scale.apply<scalar_t>({s + begin * F, F}, rows, at_row<scalar_t>(before_scale, begin),
                                {scale.data(), w.scale.out()});
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t atom = begin + i;
          for (int64_t f = 0; f < F; ++f) to_s[atom * F + f] = s[atom * F + f] + output[i * w.node.out() + f];
          kept[atom] = 2 * sigmoid(scale[i * w.scale.out()]);
          scalar_t push[3] = {0, 0, 0};
          for (int64_t k = 0; k < C; ++k)
            for (int x = 0; x < 3; ++x) push[x] += mixing[k] * c[3 * (atom * C + k) + x];
          for (int x = 0; x < 3; ++x) {
            to_v[3 * atom + x] = kept[atom] * v[3 * atom + x] + push[x];
            to_u[3 * atom + x] = u[3 * atom + x] + to_v[3 * atom + x];
          }
        }
      });
    });
    torch::autograd::variable_list saved{speed, vectors, before_spatial, before_node, before_scale, factor};
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    return {next_features, next_shift, next_speed};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const AtomWeights w(saved.data() + N_ARRAYS);
    const auto options = saved[0].options();
    const int64_t N = saved[0].size(0), F = w.scale.first.in(), C = saved[1].size(1);
    const int64_t A = w.node.first.in() - F - w.spatial.second.out();
    const Tensor by_next_features = gradients[0].contiguous();
    const Tensor by_next_shift = gradients[1].contiguous();
    const Tensor by_next_speed = gradients[2].contiguous();
    Tensor by_features = at::empty({N, F}, options), by_speed = at::empty({N, 3}, options);
    Tensor by_sums = at::empty({N, A}, options), by_vectors = at::empty({N, C, 3}, options);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "atom_layer_backward", [&] {
      const scalar_t* mixing = w.mixing.const_data_ptr<scalar_t>();
      const scalar_t *v = saved[0].const_data_ptr<scalar_t>(), *c = saved[1].const_data_ptr<scalar_t>();
      const scalar_t* kept = saved[5].const_data_ptr<scalar_t>();
      const scalar_t *by_s = by_next_features.const_data_ptr<scalar_t>();
      const scalar_t *by_u = by_next_shift.const_data_ptr<scalar_t>(), *by_v = by_next_speed.const_data_ptr<scalar_t>();
      scalar_t *to_s = by_features.mutable_data_ptr<scalar_t>(), *to_v = by_speed.mutable_data_ptr<scalar_t>();
      scalar_t *to_a = by_sums.mutable_data_ptr<scalar_t>(), *to_c = by_vectors.mutable_data_ptr<scalar_t>();
      for_atoms(N, [&](int64_t begin, int64_t end) {
        const int64_t rows = end - begin, n_in = w.node.first.backward.size(1), stride_C = padded(C);
        const int64_t stride_F = padded(F);
        std::vector<scalar_t> by_input(rows * n_in), by_norms(rows * stride_C), by_scale(rows),
            by_scaled(rows * stride_F);
        w.node.pull_back<scalar_t>({by_s + begin * F, F}, rows, saved_row<scalar_t>(saved[3], begin),
                                   {by_input.data(), n_in});
        w.spatial.pull_back<scalar_t>({by_input.data() + F + A, n_in}, rows, saved_row<scalar_t>(saved[2], begin),
                                      {by_norms.data(), stride_C});
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t atom = begin + i;
          scalar_t by_push[3], by_factor = 0;
          for (int x = 0; x < 3; ++x) {
            by_push[x] = by_v[3 * atom + x] + by_u[3 * atom + x];
            by_factor += by_push[x] * v[3 * atom + x];
            to_v[3 * atom + x] = kept[atom] * by_push[x];
          }
          by_scale[i] = by_factor * kept[atom] * (1 - kept[atom] / 2);
          for (int64_t k = 0; k < C; ++k)
            for (int x = 0; x < 3; ++x)
              to_c[3 * (atom * C + k) + x] =
                  mixing[k] * by_push[x] + 2 * by_norms[i * stride_C + k] * c[3 * (atom * C + k) + x];
          std::copy_n(by_input.data() + i * n_in + F, A, to_a + atom * A);
        }
        w.scale.pull_back<scalar_t>({by_scale.data(), 1}, rows, saved_row<scalar_t>(saved[4], begin),
                                    {by_scaled.data(), stride_F});
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t f = 0; f < F; ++f)
            to_s[(begin + i) * F + f] =
                by_s[(begin + i) * F + f] + by_input[i * n_in + f] + by_scaled[i * stride_F + f];
      });
    });
    return {by_features, by_next_shift, by_speed, by_sums, by_vectors, Tensor()};
  }

 private:
  static constexpr size_t N_ARRAYS = 6;

  template <typename scalar>
  static scalar* at_row(const Tensor& matrix, int64_t row) {
    return matrix.mutable_data_ptr<scalar>() + row * matrix.size(1);
  }

  template <typename scalar>
  static const scalar* saved_row(const Tensor& matrix, int64_t row) {
    return matrix.const_data_ptr<scalar>() + row * matrix.size(1);
  }
};

}  // namespace sakeff
