// The polynomial envelope of sakeff/nn/cutoffs.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "blocks.h"

namespace sakeff {

// (1 - x)^3 times a polynomial in x = r / cutoff with these coefficients, highest power first; zero from x = 1 on.
struct Envelope {
  double cutoff;
  std::vector<double> coefficients;

  template <typename scalar>
  scalar value(scalar distance) const {
    const scalar x = std::min(distance / static_cast<scalar>(cutoff), scalar(1)), gap = 1 - x;
    scalar series = 0;
    for (const double c : coefficients) series = series * x + static_cast<scalar>(c);
    return gap * gap * gap * series;
  }

  template <typename scalar>
  scalar slope(scalar distance) const {
    const scalar x = std::min(distance / static_cast<scalar>(cutoff), scalar(1)), gap = 1 - x;
    scalar series = 0, change = 0;
    for (const double c : coefficients) {
      change = change * x + series;
      series = series * x + static_cast<scalar>(c);
    }
    return gap * gap * (gap * change - 3 * series) / static_cast<scalar>(cutoff);
  }
};

// Vectors (E, 3) to envelopes of their lengths (E).
class EdgeEnvelope : public torch::autograd::Function<EdgeEnvelope> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& vector, const Envelope& envelope) {
    const Tensor rows = vector.contiguous();
    context->save_for_backward({rows});
    context->saved_data["cutoff"] = envelope.cutoff;
    context->saved_data["coefficients"] = envelope.coefficients;
    Tensor result = at::empty({rows.size(0)}, rows.options());
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "edge_envelope", [&] {
      const scalar_t* v = rows.const_data_ptr<scalar_t>();
      scalar_t* out = result.mutable_data_ptr<scalar_t>();
      for (int64_t e = 0; e < rows.size(0); ++e, v += 3)
        out[e] = envelope.value(std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]));
    });
    return result;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const Tensor rows = context->get_saved_variables()[0];
    const Envelope envelope{context->saved_data["cutoff"].toDouble(),
                            context->saved_data["coefficients"].toDoubleVector()};
    const Tensor by_envelope = gradients[0].contiguous();
    Tensor result = at::empty_like(rows);
    AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "edge_envelope_backward", [&] {
      const scalar_t *v = rows.const_data_ptr<scalar_t>(), *g = by_envelope.const_data_ptr<scalar_t>();
      scalar_t* out = result.mutable_data_ptr<scalar_t>();
      for (int64_t e = 0; e < rows.size(0); ++e, v += 3, out += 3) {
        const scalar_t length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        const scalar_t factor = g[e] * envelope.slope(length) / length;
        for (int a = 0; a < 3; ++a) out[a] = factor * v[a];
      }
    });
    return {result, Tensor()};
  }
};

}  // namespace sakeff
