// Both attentions of one So3krates layer over undirected pairs, fused; equations and shapes in sakeff/fast/so3krates.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "blocks.h"
#include "harmonics.h"
#include "table.h"

namespace sakeff {

// What does not depend on the structure.
struct AttentionWeights {
  Tensor table;          // (nodes, 4, 2F): value, spacing * slope, spacing^2 * curvature, step of both radial filters
  Tensor hidden_weight;  // (2H, L), first maps of both spherical filters
  Tensor hidden_bias;    // (2H)
  Tensor output_weight;  // (2, F, H), second maps; their biases are in the table
  std::vector<int64_t> degrees;
  int64_t heads;
  double spacing;
  double softening;

  int64_t width() const { return table.size(2) / 2; }
  int64_t hidden() const { return output_weight.size(2); }
};

// Arrays of the pairs and atoms of a structure.
template <typename scalar>
struct PairData {
  const scalar* projected;  // (N, 5F): query and key of the features, value, query and key of the SPHC
  const scalar* sphc;       // (N, M)
  const scalar* distance;   // (P)
  const scalar* envelope;   // (P)
  const scalar* harmonics;  // (P, M)
  const int64_t* centre;    // (P), sorted
  const int64_t* other;     // (P)
};

// The filters w_ij of a block of pairs: interpolated radial part plus the spherical network, and the way back.
template <typename scalar>
class FilterBlock {
 public:
  FilterBlock(const AttentionWeights& weights, int64_t rows)
      : weights_(weights), rows_(rows), F_(weights.width()), H_(weights.hidden()), L_(weights.degrees.size()) {
    const auto options = weights.table.options();
    difference_ = at::empty({rows, L_}, options);
    before_ = at::empty({rows, 2 * H_}, options);
    hidden_ = at::empty({rows, 2 * H_}, options);
    by_hidden_ = at::empty({rows, 2 * H_}, options);
    filter_ = at::empty({rows, 2 * F_}, options);
    slope_ = at::empty({rows, 2 * F_}, options);
    hidden_transposed_ = weights.hidden_weight.t();
    for (int64_t k = 0; k < 2; ++k) {
      part_filter_[k] = filter_.narrow(1, k * F_, F_);
      part_hidden_[k] = hidden_.narrow(1, k * H_, H_);
      part_by_hidden_[k] = by_hidden_.narrow(1, k * H_, H_);
      part_weight_[k] = weights.output_weight[k];
      part_weight_transposed_[k] = part_weight_[k].t();
    }
  }

  int64_t rows() const { return rows_; }
  scalar* filter() { return filter_.template mutable_data_ptr<scalar>(); }

  // Filters of the pairs from `first` on; with_slope keeps what pull_back needs.
  void evaluate(const PairData<scalar>& data, int64_t first, bool with_slope) {
    interpolate(data.distance + first, with_slope);
    if (H_ == 0) return;
    differences(data, first);
    at::addmm_out(before_, weights_.hidden_bias, difference_, hidden_transposed_);
    at::silu_out(hidden_, before_);
    for (int64_t k = 0; k < 2; ++k)
      at::addmm_out(part_filter_[k], part_filter_[k], part_hidden_[k], part_weight_transposed_[k]);
  }

  // After filter() was overwritten by the gradient of the filters: adds the gradients of distances and SPHC.
  void pull_back(const PairData<scalar>& data, int64_t first, scalar* by_distance, scalar* by_sphc) {
    const scalar* g = filter();
    const scalar* s = slope_.template const_data_ptr<scalar>();
    for (int64_t p = 0; p < rows_; ++p) {
      scalar sum = 0;
      for (int64_t f = 0; f < 2 * F_; ++f) sum += g[p * 2 * F_ + f] * s[p * 2 * F_ + f];
      by_distance[first + p] = sum;
    }
    if (H_ == 0) return;
    for (int64_t k = 0; k < 2; ++k) at::mm_out(part_by_hidden_[k], part_filter_[k], part_weight_[k]);
    at::silu_backward_out(by_hidden_, by_hidden_, before_);
    at::mm_out(difference_, by_hidden_, weights_.hidden_weight);
    pull_back_differences(data, first, by_sphc);
  }

 private:
  void interpolate(const scalar* distance, bool with_slope) {
    const int64_t channels = 2 * F_, n_intervals = weights_.table.size(0) - 1;
    const scalar* table = weights_.table.template const_data_ptr<scalar>();
    for (int64_t p = 0; p < rows_; ++p) {
      const HermiteWeights<scalar> at(distance[p], static_cast<scalar>(weights_.spacing), n_intervals);
      const scalar* node = table + at.interval * 4 * channels;
      scalar* value = filter() + p * channels;
      std::copy(node, node + channels, value);
      add(node, at.value, channels, value);
      if (!with_slope) continue;
      scalar* slope = slope_.template mutable_data_ptr<scalar>() + p * channels;
      std::fill(slope, slope + channels, scalar(0));
      add(node, at.slope, channels, slope);
    }
  }

  static void add(const scalar* node, const scalar* w, int64_t n, scalar* __restrict__ out) {
    const scalar* next = node + 4 * n;
    for (int64_t f = 0; f < n; ++f)
      out[f] += w[0] * node[n + f] + w[1] * node[2 * n + f] + w[2] * node[3 * n + f] + w[3] * next[n + f] +
          w[4] * next[2 * n + f];
  }

  // Smooth norms of chi_j - chi_i for each degree.
  void differences(const PairData<scalar>& data, int64_t first) {
    const int64_t M = n_orders(weights_.degrees);
    const scalar softening = weights_.softening;
    scalar* d = difference_.template mutable_data_ptr<scalar>();
    for (int64_t p = 0; p < rows_; ++p) {
      const scalar* i = data.sphc + M * data.centre[first + p];
      const scalar* j = data.sphc + M * data.other[first + p];
      for (const int64_t l : weights_.degrees) {
        scalar square = softening * softening;
        for (int64_t m = 0; m < 2 * l + 1; ++m) square += (j[m] - i[m]) * (j[m] - i[m]);
        i += 2 * l + 1;
        j += 2 * l + 1;
        *d++ = std::sqrt(square) - softening;
      }
    }
  }

  void pull_back_differences(const PairData<scalar>& data, int64_t first, scalar* by_sphc) {
    const int64_t M = n_orders(weights_.degrees);
    const scalar softening = weights_.softening;
    const scalar* g = difference_.template const_data_ptr<scalar>();
    for (int64_t p = 0; p < rows_; ++p) {
      const int64_t at_i = M * data.centre[first + p], at_j = M * data.other[first + p];
      int64_t order = 0;
      for (const int64_t l : weights_.degrees) {
        const int64_t end = order + 2 * l + 1;
        scalar square = softening * softening;
        for (int64_t m = order; m < end; ++m) {
          const scalar x = data.sphc[at_j + m] - data.sphc[at_i + m];
          square += x * x;
        }
        // Without softening the norm has no derivative at zero; zero is what the reference gives there.
        const scalar factor = square > 0 ? *g / std::sqrt(square) : scalar(0);
        ++g;
        for (; order < end; ++order) {
          const scalar part = factor * (data.sphc[at_j + order] - data.sphc[at_i + order]);
          by_sphc[at_j + order] += part;
          by_sphc[at_i + order] -= part;
        }
      }
    }
  }

  const AttentionWeights& weights_;
  int64_t rows_, F_, H_, L_;
  Tensor difference_, before_, hidden_, by_hidden_, filter_, slope_, hidden_transposed_;
  Tensor part_filter_[2], part_hidden_[2], part_by_hidden_[2], part_weight_[2], part_weight_transposed_[2];
};

// Calls body(block, first) for consecutive blocks of the pairs [begin, end).
template <typename scalar, typename Body>
void for_filter_blocks(const AttentionWeights& weights, int64_t begin, int64_t end, const Body& body) {
  if (begin == end) return;
  const int64_t whole = std::min(BLOCK, end - begin);
  FilterBlock<scalar> block(weights, whole);
  int64_t first = begin;
  for (; first + whole <= end; first += whole) body(block, first);
  if (first < end) {
    FilterBlock<scalar> rest(weights, end - first);
    body(rest, first);
  }
}

// Sums over one block of pairs; rows of centres are collected beside and written once per centre.
template <typename scalar>
class AttentionSums {
 public:
  AttentionSums(const AttentionWeights& weights, const PairData<scalar>& data)
      : data_(data),
        F_(weights.width()),
        heads_(weights.heads),
        M_(n_orders(weights.degrees)),
        degrees_(weights.degrees),
        mine_(5 * F_ + M_, 0) {}

  // Eqs. 12-13: features (N, F) and SPHC (N, M) gain what neighbours send, both directions of each pair.
  void forward(const scalar* filter, int64_t first, int64_t rows, scalar* features, scalar* sphc) {
    for (int64_t p = first; p < first + rows; ++p, filter += 2 * F_) {
      const int64_t i = data_.centre[p], j = data_.other[p];
      if (i != current_) flush({{features, F_}, {sphc, M_}}, i);
      const scalar *at_i = data_.projected + 5 * F_ * i, *at_j = data_.projected + 5 * F_ * j;
      features_forward(filter, at_i, at_j, data_.envelope[p], mine_.data(), features + F_ * j);
      sphc_forward(filter + F_, at_i, at_j, data_.envelope[p], data_.harmonics + M_ * p, mine_.data() + F_,
                   sphc + M_ * j);
    }
  }

  // Gradients of the projections (N, 5F), envelopes (P) and harmonics (P, M); filters are replaced by their gradient.
  void backward(scalar* filter, int64_t first, int64_t rows, const scalar* by_features, const scalar* by_sphc,
                scalar* by_projected, scalar* by_envelope, scalar* by_harmonics) {
    for (int64_t p = first; p < first + rows; ++p, filter += 2 * F_) {
      const int64_t i = data_.centre[p], j = data_.other[p];
      if (i != current_) flush({{by_projected, 5 * F_}}, i);
      const scalar *at_i = data_.projected + 5 * F_ * i, *at_j = data_.projected + 5 * F_ * j;
      by_envelope[p] = features_backward(filter, at_i, at_j, data_.envelope[p], by_features + F_ * i,
                                         by_features + F_ * j, mine_.data(), by_projected + 5 * F_ * j);
      by_envelope[p] += sphc_backward(filter + F_, at_i, at_j, data_.envelope[p], data_.harmonics + M_ * p,
                                      by_sphc + M_ * i, by_sphc + M_ * j, mine_.data(), by_projected + 5 * F_ * j,
                                      by_harmonics + M_ * p);
    }
  }

  struct Rows {
    scalar* data;
    int64_t width;
  };

  // Adds what was collected for the last centre to its rows and starts with another one.
  void flush(std::initializer_list<Rows> outputs, int64_t next) {
    scalar* mine = mine_.data();
    for (const Rows& output : outputs) {
      if (current_ >= 0)
        for (int64_t f = 0; f < output.width; ++f) output.data[current_ * output.width + f] += mine[f];
      mine += output.width;
    }
    std::fill(mine_.begin(), mine_.end(), scalar(0));
    current_ = next;
  }

 private:
  void features_forward(const scalar* w, const scalar* at_i, const scalar* at_j, scalar envelope,
                        scalar* __restrict__ to_i, scalar* __restrict__ to_j) const {
    const int64_t width = F_ / heads_;
    const scalar factor = envelope / std::sqrt(static_cast<scalar>(width));
    const scalar *qi = at_i, *ki = at_i + F_, *vi = at_i + 2 * F_;
    const scalar *qj = at_j, *kj = at_j + F_, *vj = at_j + 2 * F_;
    for (int64_t start = 0; start < F_; start += width) {
      scalar ij = 0, ji = 0;
      for (int64_t f = start; f < start + width; ++f) {
        ij += qi[f] * w[f] * kj[f];
        ji += qj[f] * w[f] * ki[f];
      }
      ij *= factor;
      ji *= factor;
      for (int64_t f = start; f < start + width; ++f) {
        to_i[f] += ij * vj[f];
        to_j[f] += ji * vi[f];
      }
    }
  }

  void sphc_forward(const scalar* w, const scalar* at_i, const scalar* at_j, scalar envelope, const scalar* harmonics,
                    scalar* __restrict__ to_i, scalar* __restrict__ to_j) const {
    const int64_t width = F_ / static_cast<int64_t>(degrees_.size());
    const scalar factor = envelope / std::sqrt(static_cast<scalar>(width));
    const scalar *qi = at_i + 3 * F_, *ki = at_i + 4 * F_, *qj = at_j + 3 * F_, *kj = at_j + 4 * F_;
    int64_t start = 0, order = 0;
    for (const int64_t l : degrees_) {
      scalar ij = 0, ji = 0;
      for (int64_t f = start; f < start + width; ++f) {
        ij += qi[f] * w[f] * kj[f];
        ji += qj[f] * w[f] * ki[f];
      }
      start += width;
      ij *= factor;
      ji *= parity(l) * factor;
      for (const int64_t end = order + 2 * l + 1; order < end; ++order) {
        to_i[order] += ij * harmonics[order];
        to_j[order] += ji * harmonics[order];
      }
    }
  }

  scalar features_backward(scalar* __restrict__ w, const scalar* at_i, const scalar* at_j, scalar envelope,
                           const scalar* by_i, const scalar* by_j, scalar* __restrict__ to_i,
                           scalar* __restrict__ to_j) const {
    const int64_t width = F_ / heads_;
    const scalar scale = 1 / std::sqrt(static_cast<scalar>(width));
    const scalar *vi = at_i + 2 * F_, *vj = at_j + 2 * F_;
    scalar by_envelope = 0;
    for (int64_t start = 0; start < F_; start += width) {
      scalar ij = 0, ji = 0, by_ij = 0, by_ji = 0;
      for (int64_t f = start; f < start + width; ++f) {
        ij += at_i[f] * w[f] * at_j[F_ + f];
        ji += at_j[f] * w[f] * at_i[F_ + f];
        by_ij += by_i[f] * vj[f];
        by_ji += by_j[f] * vi[f];
      }
      by_envelope += scale * (by_ij * ij + by_ji * ji);
      ij *= scale * envelope;
      ji *= scale * envelope;
      for (int64_t f = start; f < start + width; ++f) {
        to_i[2 * F_ + f] += ji * by_j[f];
        to_j[2 * F_ + f] += ij * by_i[f];
      }
      coefficient_backward(start, start + width, scale * envelope * by_ij, scale * envelope * by_ji, w, at_i, at_j,
                           to_i, to_j);
    }
    return by_envelope;
  }

  scalar sphc_backward(scalar* __restrict__ w, const scalar* at_i, const scalar* at_j, scalar envelope,
                       const scalar* harmonics, const scalar* by_i, const scalar* by_j, scalar* __restrict__ to_i,
                       scalar* __restrict__ to_j, scalar* __restrict__ by_harmonics) const {
    const int64_t width = F_ / static_cast<int64_t>(degrees_.size()), offset = 3 * F_;
    const scalar scale = 1 / std::sqrt(static_cast<scalar>(width));
    scalar by_envelope = 0;
    int64_t start = 0, order = 0;
    for (const int64_t l : degrees_) {
      scalar ij = 0, ji = 0, by_ij = 0, by_ji = 0;
      for (int64_t f = start; f < start + width; ++f) {
        ij += at_i[offset + f] * w[f] * at_j[offset + F_ + f];
        ji += at_j[offset + f] * w[f] * at_i[offset + F_ + f];
      }
      ij *= scale;
      ji *= parity(l) * scale;
      for (const int64_t end = order + 2 * l + 1; order < end; ++order) {
        by_ij += by_i[order] * harmonics[order];
        by_ji += by_j[order] * harmonics[order];
        by_harmonics[order] = envelope * (ij * by_i[order] + ji * by_j[order]);
      }
      by_envelope += by_ij * ij + by_ji * ji;
      coefficient_backward(start, start + width, scale * envelope * by_ij, parity(l) * scale * envelope * by_ji, w,
                           at_i + offset, at_j + offset, to_i + offset, to_j + offset);
      start += width;
    }
    return by_envelope;
  }

  // Gradients of q_i w k_j (times by_ij) and q_j w k_i (times by_ji) in queries, keys and, in place, filters.
  void coefficient_backward(int64_t start, int64_t end, scalar by_ij, scalar by_ji, scalar* __restrict__ w,
                            const scalar* at_i, const scalar* at_j, scalar* __restrict__ to_i,
                            scalar* __restrict__ to_j) const {
    const scalar *qi = at_i, *ki = at_i + F_, *qj = at_j, *kj = at_j + F_;
    for (int64_t f = start; f < end; ++f) {
      const scalar to_ij = by_ij * w[f], to_ji = by_ji * w[f];
      w[f] = by_ij * qi[f] * kj[f] + by_ji * qj[f] * ki[f];
      to_i[f] += to_ij * kj[f];
      to_j[F_ + f] += to_ij * qi[f];
      to_j[f] += to_ji * ki[f];
      to_i[F_ + f] += to_ji * qj[f];
    }
  }

  static scalar parity(int64_t l) { return l % 2 == 0 ? scalar(1) : scalar(-1); }

  const PairData<scalar>& data_;
  int64_t F_, heads_, M_;
  const std::vector<int64_t>& degrees_;
  std::vector<scalar> mine_;
  int64_t current_ = -1;
};

class PairAttention : public torch::autograd::Function<PairAttention> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& projected, const Tensor& sphc, const Tensor& distance,
      const Tensor& envelope, const Tensor& harmonics, const Tensor& centre, const Tensor& other, const Tensor& table,
      const Tensor& hidden_weight, const Tensor& hidden_bias, const Tensor& output_weight,
      const std::vector<int64_t>& degrees, int64_t heads, double spacing, double softening) {
    const AttentionWeights weights{table, hidden_weight, hidden_bias, output_weight, degrees, heads, spacing, softening};
    const torch::autograd::variable_list inputs{
        projected.contiguous(), sphc.contiguous(), distance.contiguous(), envelope.contiguous(), harmonics.contiguous(),
        centre,                 other,             table,                 hidden_weight,         hidden_bias,
        output_weight};
    context->save_for_backward(inputs);
    context->saved_data["degrees"] = degrees;
    context->saved_data["heads"] = heads;
    context->saved_data["spacing"] = spacing;
    context->saved_data["softening"] = softening;
    const int64_t N = sphc.size(0), F = weights.width(), M = sphc.size(1), P = distance.size(0);
    const auto starts = even_starts(P, n_chunks(P));
    const int64_t chunks = starts.size() - 1;
    const Accumulator features(chunks, {N, F}, sphc.options()), moved(chunks, {N, M}, sphc.options());
    AT_DISPATCH_FLOATING_TYPES(sphc.scalar_type(), "pair_attention", [&] {
      const PairData<scalar_t> data = pair_data<scalar_t>(inputs);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        scalar_t *to_features = features.data<scalar_t>(chunk), *to_sphc = moved.data<scalar_t>(chunk);
        AttentionSums<scalar_t> sums(weights, data);
        for_filter_blocks<scalar_t>(weights, begin, end, [&](FilterBlock<scalar_t>& block, int64_t first) {
          block.evaluate(data, first, false);
          sums.forward(block.filter(), first, block.rows(), to_features, to_sphc);
        });
        sums.flush({{to_features, F}, {to_sphc, M}}, -1);
      });
    });
    return {features.total(), moved.total()};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto inputs = context->get_saved_variables();
    const AttentionWeights weights{inputs[7],
                                   inputs[8],
                                   inputs[9],
                                   inputs[10],
                                   context->saved_data["degrees"].toIntVector(),
                                   context->saved_data["heads"].toInt(),
                                   context->saved_data["spacing"].toDouble(),
                                   context->saved_data["softening"].toDouble()};
    const auto options = inputs[0].options();
    const int64_t N = inputs[1].size(0), F = weights.width(), M = inputs[1].size(1), P = inputs[2].size(0);
    const Tensor by_features = gradients[0].defined() ? gradients[0].contiguous() : at::zeros({N, F}, options);
    const Tensor by_moved = gradients[1].defined() ? gradients[1].contiguous() : at::zeros({N, M}, options);
    const auto starts = even_starts(P, n_chunks(P));
    const int64_t chunks = starts.size() - 1;
    const Accumulator by_projected(chunks, {N, 5 * F}, options), by_sphc(chunks, {N, M}, options);
    Tensor by_distance = at::empty({P}, options), by_envelope = at::empty({P}, options);
    Tensor by_harmonics = at::empty({P, M}, options);
    AT_DISPATCH_FLOATING_TYPES(inputs[0].scalar_type(), "pair_attention_backward", [&] {
      const PairData<scalar_t> data = pair_data<scalar_t>(inputs);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        scalar_t *to_projected = by_projected.data<scalar_t>(chunk), *to_sphc = by_sphc.data<scalar_t>(chunk);
        AttentionSums<scalar_t> sums(weights, data);
        for_filter_blocks<scalar_t>(weights, begin, end, [&](FilterBlock<scalar_t>& block, int64_t first) {
          block.evaluate(data, first, true);
          sums.backward(block.filter(), first, block.rows(), by_features.const_data_ptr<scalar_t>(),
                        by_moved.const_data_ptr<scalar_t>(), to_projected, by_envelope.mutable_data_ptr<scalar_t>(),
                        by_harmonics.mutable_data_ptr<scalar_t>());
          block.pull_back(data, first, by_distance.mutable_data_ptr<scalar_t>(), to_sphc);
        });
        sums.flush({{to_projected, 5 * F}}, -1);
      });
    });
    torch::autograd::variable_list result(15);
    result[0] = by_projected.total();
    result[1] = by_sphc.total();
    result[2] = by_distance;
    result[3] = by_envelope;
    result[4] = by_harmonics;
    return result;
  }

 private:
  template <typename scalar>
  static PairData<scalar> pair_data(const torch::autograd::variable_list& inputs) {
    return {inputs[0].const_data_ptr<scalar>(),  inputs[1].const_data_ptr<scalar>(), inputs[2].const_data_ptr<scalar>(),
            inputs[3].const_data_ptr<scalar>(),  inputs[4].const_data_ptr<scalar>(),
            inputs[5].const_data_ptr<int64_t>(), inputs[6].const_data_ptr<int64_t>()};
  }
};

}  // namespace sakeff
