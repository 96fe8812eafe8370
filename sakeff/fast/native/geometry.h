// What all layers of So3krates share about pairs: distances, envelopes, harmonics, and the initial SPHC (eq. 11).
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "blocks.h"
#include "envelope.h"
#include "harmonics.h"

namespace sakeff {

// vector (P, 3) of pairs centre -> other to distance (P), envelope (P), harmonics (P, M) and SPHC (N, M);
// sphc_i = scale sum_j envelope_ij Y(r_ij).
class PairGeometry : public torch::autograd::Function<PairGeometry> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& vector, const Tensor& centre, const Tensor& other,
      int64_t n_atoms, const std::vector<int64_t>& degrees, const Envelope& envelope, double scale) {
    const Tensor rows = vector.contiguous(), ends[2] = {centre.contiguous(), other.contiguous()};
    const int64_t P = rows.size(0), M = n_orders(degrees);
    const auto options = rows.options();
    Tensor distance = at::empty({P}, options), weight = at::empty({P}, options), harmonics = at::empty({P, M}, options);
    const auto starts = even_starts(P, n_chunks(P, EDGE_GRAIN));
    const Accumulator sphc(starts.size() - 1, {n_atoms, M}, options);
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "pair_geometry", [&] {
      const scalar_t* v = rows.const_data_ptr<scalar_t>();
      const int64_t *i = ends[0].const_data_ptr<int64_t>(), *j = ends[1].const_data_ptr<int64_t>();
      scalar_t *r = distance.mutable_data_ptr<scalar_t>(), *w = weight.mutable_data_ptr<scalar_t>();
      scalar_t* y = harmonics.mutable_data_ptr<scalar_t>();
      const std::vector<scalar_t> parity = parities<scalar_t>(degrees);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        Harmonics<scalar_t> functions(degrees);
        scalar_t* sums = sphc.data<scalar_t>(chunk);
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t* e = v + 3 * p;
          r[p] = std::sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2]);
          w[p] = envelope.value(r[p]);
          functions.prepare(e[0] / r[p], e[1] / r[p], e[2] / r[p]);
          functions.values(y + M * p);
          const scalar_t factor = static_cast<scalar_t>(scale) * w[p];
          for (int64_t m = 0; m < M; ++m) {
            sums[M * i[p] + m] += factor * y[M * p + m];
            sums[M * j[p] + m] += factor * parity[m] * y[M * p + m];
          }
        }
      });
    });
    context->save_for_backward({rows, distance, weight, harmonics, ends[0], ends[1]});
    context->saved_data["degrees"] = degrees;
    context->saved_data["cutoff"] = envelope.cutoff;
    context->saved_data["coefficients"] = envelope.coefficients;
    context->saved_data["scale"] = scale;
    return {distance, weight, harmonics, sphc.total()};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> degrees = context->saved_data["degrees"].toIntVector();
    const Envelope envelope{context->saved_data["cutoff"].toDouble(),
                            context->saved_data["coefficients"].toDoubleVector()};
    const double scale = context->saved_data["scale"].toDouble();
    const int64_t P = saved[0].size(0), M = n_orders(degrees);
    const auto options = saved[0].options();
    const Tensor by_distance = gradients[0].contiguous();
    const Tensor by_envelope = gradients[1].contiguous();
    const Tensor by_harmonics = gradients[2].contiguous();
    const Tensor by_sphc = gradients[3].contiguous();
    Tensor by_vector = at::empty({P, 3}, options);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "pair_geometry_backward", [&] {
      const scalar_t *v = saved[0].const_data_ptr<scalar_t>(), *r = saved[1].const_data_ptr<scalar_t>();
      const scalar_t *w = saved[2].const_data_ptr<scalar_t>(), *y = saved[3].const_data_ptr<scalar_t>();
      const int64_t *i = saved[4].const_data_ptr<int64_t>(), *j = saved[5].const_data_ptr<int64_t>();
      const scalar_t *by_r = by_distance.const_data_ptr<scalar_t>(), *by_w = by_envelope.const_data_ptr<scalar_t>();
      const scalar_t *by_y = by_harmonics.const_data_ptr<scalar_t>(), *by_x = by_sphc.const_data_ptr<scalar_t>();
      scalar_t* out = by_vector.mutable_data_ptr<scalar_t>();
      const std::vector<scalar_t> parity = parities<scalar_t>(degrees);
      for_chunks(even_starts(P, n_chunks(P, EDGE_GRAIN)), [&](int64_t, int64_t begin, int64_t end) {
        Harmonics<scalar_t> functions(degrees);
        std::vector<scalar_t> total(M);
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t unit[3] = {v[3 * p] / r[p], v[3 * p + 1] / r[p], v[3 * p + 2] / r[p]};
          scalar_t along_envelope = by_w[p];
          for (int64_t m = 0; m < M; ++m) {
            const scalar_t both = static_cast<scalar_t>(scale) * (by_x[M * i[p] + m] + parity[m] * by_x[M * j[p] + m]);
            along_envelope += both * y[M * p + m];
            total[m] = by_y[M * p + m] + both * w[p];
          }
          scalar_t g[3];
          functions.prepare(unit[0], unit[1], unit[2]);
          functions.pull_back(total.data(), g);
          const scalar_t radial = by_r[p] + along_envelope * envelope.slope(r[p]);
          const scalar_t along = unit[0] * g[0] + unit[1] * g[1] + unit[2] * g[2];
          for (int a = 0; a < 3; ++a) out[3 * p + a] = radial * unit[a] + (g[a] - along * unit[a]) / r[p];
        }
      });
    });
    torch::autograd::variable_list result(7);
    result[0] = by_vector;
    return result;
  }
};

}  // namespace sakeff
