// Both attentions of one So3krates layer over undirected pairs, fused: equations and shapes in fast/so3krates.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "blocks.h"
#include "functions.h"
#include "harmonics.h"
#include "network.h"
#include "table.h"

namespace sakeff {

// What does not depend on the structure; matrices padded as in sakeff/fast/matrices.py, G = padded F.
struct AttentionWeights {
  Tensor table;            // (nodes, 4, 2G): value, spacing * slope, spacing^2 * curvature, step of both radial filters
  LinearMap projection;    // to (5F): query and key of the features, value, query and key of the SPHC
  LinearMap hidden;        // first maps of both spherical filters, side by side
  Tensor hidden_bias;      // (2 padded H)
  LinearMap output[2];     // their second maps; their biases are in the table
  std::vector<int64_t> degrees;
  int64_t heads;
  double spacing;
  double softening;

  AttentionWeights(const Tensor* t, std::vector<int64_t> degrees_, int64_t heads_, double spacing_, double softening_)
      : table(t[0]), projection{t[1], t[2]}, hidden{t[3], t[4]}, hidden_bias(t[5]), output{{t[6], t[7]}, {t[8], t[9]}},
        degrees(std::move(degrees_)), heads(heads_), spacing(spacing_), softening(softening_) {}

  static constexpr size_t n_tensors = 10;
  int64_t width() const { return projection.in(); }
  int64_t channels() const { return table.size(2); }
  int64_t n_hidden() const { return output[0].in(); }
};

// Arrays of the pairs and atoms of a structure.
template <typename scalar>
struct PairData {
  const scalar* projected;   // (N, stride)
  int64_t projected_stride;  // padded 5F
  const scalar* sphc;        // (N, M)
  const scalar* distance;    // (P)
  const scalar* envelope;    // (P)
  const scalar* harmonics;   // (P, M)
  const int64_t* centre;     // (P), sorted
  const int64_t* other;      // (P)
};

// The filters w_ij of a block of pairs: interpolated radial part plus the spherical network, and the way back.
template <typename scalar>
class FilterBlock {
 public:
  explicit FilterBlock(const AttentionWeights& weights)
      : weights_(weights), channels_(weights.channels()), L_(padded(weights.degrees.size())),
        n_hidden_(weights.hidden_bias.size(0)), difference_(BLOCK * L_), before_(BLOCK * n_hidden_),
        hidden_(BLOCK * n_hidden_), filter_(BLOCK * channels_), slope_(BLOCK * channels_) {}

  // (BLOCK, 2G): first the filters, later their gradients.
  Rows<scalar> filter() { return {filter_.data(), channels_}; }

  // Filters of `rows` pairs from `first` on; with_slope keeps what pull_back needs.
  void evaluate(const PairData<scalar>& data, int64_t first, int64_t rows, bool with_slope) {
    interpolate(data.distance + first, rows, with_slope);
    if (n_hidden_ == 0) return;
    differences(data, first, rows);
    fill_rows(weights_.hidden_bias.const_data_ptr<scalar>(), n_hidden_, rows, before());
    weights_.hidden.template apply<scalar>({difference_.data(), L_}, rows, before(), true);
    for (int64_t i = 0; i < rows * n_hidden_; ++i) hidden_[i] = silu(before_[i]);
    for (int64_t k = 0; k < 2; ++k)
      weights_.output[k].template apply<scalar>({hidden_.data() + k * n_hidden_ / 2, n_hidden_}, rows,
                                                filter().from_column(k * channels_ / 2), true);
  }

  // After filter() was overwritten by the gradient of the filters: adds the gradients of distances and SPHC.
  void pull_back(const PairData<scalar>& data, int64_t first, int64_t rows, scalar* by_distance, scalar* by_sphc) {
    for (int64_t p = 0; p < rows; ++p) {
      const scalar *g = filter()[p], *s = slope_.data() + p * channels_;
      scalar sum = 0;
      for (int64_t f = 0; f < channels_; ++f) sum += g[f] * s[f];
      by_distance[first + p] = sum;
    }
    if (n_hidden_ == 0) return;
    for (int64_t k = 0; k < 2; ++k)
      weights_.output[k].template pull_back<scalar>({filter_.data() + k * channels_ / 2, channels_}, rows,
                                                    {hidden_.data() + k * n_hidden_ / 2, n_hidden_});
    for (int64_t i = 0; i < rows * n_hidden_; ++i) hidden_[i] *= silu_slope(before_[i]);
    weights_.hidden.template pull_back<scalar>({hidden_.data(), n_hidden_}, rows, {difference_.data(), L_});
    pull_back_differences(data, first, rows, by_sphc);
  }

 private:
  Rows<scalar> before() { return {before_.data(), n_hidden_}; }

  void interpolate(const scalar* distance, int64_t rows, bool with_slope) {
    const int64_t n_intervals = weights_.table.size(0) - 1;
    const scalar* table = weights_.table.const_data_ptr<scalar>();
    for (int64_t p = 0; p < rows; ++p) {
      const HermiteWeights<scalar> at(distance[p], static_cast<scalar>(weights_.spacing), n_intervals);
      const scalar* node = table + at.interval * 4 * channels_;
      scalar* value = filter()[p];
      if (with_slope)
        value_and_slope(node, at, value, slope_.data() + p * channels_);
      else
        value_of(node, at, value);
    }
  }

  void value_of(const scalar* node, const HermiteWeights<scalar>& at, scalar* __restrict__ value) const {
    const int64_t n = channels_;
    const scalar* next = node + 4 * n;
    const scalar* w = at.value;
    for (int64_t f = 0; f < n; ++f)
      value[f] = node[f] + w[0] * node[n + f] + w[1] * node[2 * n + f] + w[2] * node[3 * n + f] + w[3] * next[n + f] +
          w[4] * next[2 * n + f];
  }

  void value_and_slope(const scalar* node, const HermiteWeights<scalar>& at, scalar* __restrict__ value,
                       scalar* __restrict__ slope) const {
    const int64_t n = channels_;
    const scalar* next = node + 4 * n;
    const scalar *w = at.value, *s = at.slope;
    for (int64_t f = 0; f < n; ++f) {
      const scalar x0 = node[n + f], x1 = node[2 * n + f], x2 = node[3 * n + f], x3 = next[n + f], x4 = next[2 * n + f];
      value[f] = node[f] + w[0] * x0 + w[1] * x1 + w[2] * x2 + w[3] * x3 + w[4] * x4;
      slope[f] = s[0] * x0 + s[1] * x1 + s[2] * x2 + s[3] * x3 + s[4] * x4;
    }
  }

  // Smooth norms of chi_j - chi_i for each degree.
  void differences(const PairData<scalar>& data, int64_t first, int64_t rows) {
    const int64_t M = n_orders(weights_.degrees);
    const scalar softening = weights_.softening;
    for (int64_t p = 0; p < rows; ++p) {
      const scalar* i = data.sphc + M * data.centre[first + p];
      const scalar* j = data.sphc + M * data.other[first + p];
      scalar* d = difference_.data() + L_ * p;
      for (const int64_t l : weights_.degrees) {
        scalar square = softening * softening;
        for (int64_t m = 0; m < 2 * l + 1; ++m) square += (j[m] - i[m]) * (j[m] - i[m]);
        i += 2 * l + 1;
        j += 2 * l + 1;
        *d++ = std::sqrt(square) - softening;
      }
    }
  }

  void pull_back_differences(const PairData<scalar>& data, int64_t first, int64_t rows, scalar* by_sphc) {
    const int64_t M = n_orders(weights_.degrees);
    const scalar softening = weights_.softening;
    for (int64_t p = 0; p < rows; ++p) {
      const int64_t at_i = M * data.centre[first + p], at_j = M * data.other[first + p];
      const scalar* g = difference_.data() + L_ * p;
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
  int64_t channels_, L_, n_hidden_;
  std::vector<scalar> difference_, before_, hidden_, filter_, slope_;
};

// Calls body(block, first, rows) for consecutive blocks of the pairs [begin, end).
template <typename scalar, typename Body>
void for_filter_blocks(const AttentionWeights& weights, int64_t begin, int64_t end, const Body& body) {
  FilterBlock<scalar> block(weights);
  for (int64_t first = begin; first < end; first += BLOCK) body(block, first, std::min(BLOCK, end - first));
}

// Sums over one block of pairs; rows of centres are collected beside and written once per centre.
template <typename scalar>
class AttentionSums {
 public:
  AttentionSums(const AttentionWeights& weights, const PairData<scalar>& data)
      : data_(data),
        F_(weights.width()),
        second_(weights.channels() / 2),
        heads_(weights.heads),
        M_(n_orders(weights.degrees)),
        degrees_(weights.degrees),
        mine_(5 * F_ + M_, 0) {}

  // Eqs. 12-13: features (N, F) and SPHC (N, M) gain what neighbours send, both directions of each pair.
  void forward(Rows<scalar> filters, int64_t first, int64_t rows, scalar* features, scalar* sphc) {
    for (int64_t p = first; p < first + rows; ++p) {
      const scalar* filter = filters[p - first];
      const int64_t i = data_.centre[p], j = data_.other[p];
      if (i != current_) flush({{features, F_, F_}, {sphc, M_, M_}}, i);
      const scalar *at_i = projected(i), *at_j = projected(j);
      features_forward(filter, at_i, at_j, data_.envelope[p], mine_.data(), features + F_ * j);
      sphc_forward(filter + second_, at_i, at_j, data_.envelope[p], data_.harmonics + M_ * p, mine_.data() + F_,
                   sphc + M_ * j);
    }
  }

  // Gradients of the projections (N, 5F), envelopes (P) and harmonics (P, M); filters are replaced by their gradient.
  void backward(Rows<scalar> filters, int64_t first, int64_t rows, const scalar* by_features, const scalar* by_sphc,
                scalar* by_projected, scalar* by_envelope, scalar* by_harmonics) {
    const int64_t stride = data_.projected_stride;
    for (int64_t p = first; p < first + rows; ++p) {
      scalar* filter = filters[p - first];
      const int64_t i = data_.centre[p], j = data_.other[p];
      if (i != current_) flush({{by_projected, stride, 5 * F_}}, i);
      const scalar *at_i = projected(i), *at_j = projected(j);
      by_envelope[p] = features_backward(filter, at_i, at_j, data_.envelope[p], by_features + F_ * i,
                                         by_features + F_ * j, mine_.data(), by_projected + stride * j);
      by_envelope[p] += sphc_backward(filter + second_, at_i, at_j, data_.envelope[p], data_.harmonics + M_ * p,
                                      by_sphc + M_ * i, by_sphc + M_ * j, mine_.data(), by_projected + stride * j,
                                      by_harmonics + M_ * p);
    }
  }

  struct Output {
    scalar* data;
    int64_t stride, width;
  };

  // Adds what was collected for the last centre to its rows and starts with another one.
  void flush(std::initializer_list<Output> outputs, int64_t next) {
    scalar* mine = mine_.data();
    for (const Output& output : outputs) {
      if (current_ >= 0)
        for (int64_t f = 0; f < output.width; ++f) output.data[current_ * output.stride + f] += mine[f];
      mine += output.width;
    }
    std::fill(mine_.begin(), mine_.end(), scalar(0));
    current_ = next;
  }

 private:
  const scalar* projected(int64_t atom) const { return data_.projected + data_.projected_stride * atom; }

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
  int64_t F_, second_, heads_, M_;  // the filters of the SPHC start at column second_
  const std::vector<int64_t>& degrees_;
  std::vector<scalar> mine_;
  int64_t current_ = -1;
};

// Eqs. 12-16 of one layer, scalars (N, F) and sphc (N, M) to their next values.
class PairAttention : public torch::autograd::Function<PairAttention> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& scalars, const Tensor& sphc, const Tensor& distance,
      const Tensor& envelope, const Tensor& harmonics, const Tensor& centre, const Tensor& other,
      const std::vector<Tensor>& weights, const std::vector<int64_t>& degrees, int64_t heads, double spacing,
      double softening) {
    const AttentionWeights w(weights.data(), degrees, heads, spacing, softening);
    const int64_t N = sphc.size(0), F = w.width(), M = sphc.size(1), P = distance.size(0);
    const Tensor features = scalars.contiguous();
    const Tensor projected = scratch({N, w.projection.forward.size(1)}, sphc.options());
    torch::autograd::variable_list saved{
        projected,           sphc.contiguous(),  distance.contiguous(), envelope.contiguous(), harmonics.contiguous(),
        centre.contiguous(), other.contiguous()};
    const auto starts = even_starts(P, n_chunks(P, EDGE_GRAIN));
    const int64_t chunks = starts.size() - 1;
    const Accumulator gained(chunks, features), moved(chunks, saved[1]);
    AT_DISPATCH_FLOATING_TYPES(sphc.scalar_type(), "pair_attention", [&] {
      const Rows<const scalar_t> x{features.const_data_ptr<scalar_t>(), F};
      const Rows<scalar_t> y{projected.mutable_data_ptr<scalar_t>(), projected.size(1)};
      for_atoms(N, [&](int64_t begin, int64_t end) {
        w.projection.apply<scalar_t>({x[begin], F}, end - begin, {y[begin], y.stride});
      });
      const PairData<scalar_t> data = pair_data<scalar_t>(saved);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        scalar_t *to_features = gained.data<scalar_t>(chunk), *to_sphc = moved.data<scalar_t>(chunk);
        AttentionSums<scalar_t> sums(w, data);
        for_filter_blocks<scalar_t>(w, begin, end, [&](FilterBlock<scalar_t>& block, int64_t first, int64_t rows) {
          block.evaluate(data, first, rows, false);
          sums.forward(block.filter(), first, rows, to_features, to_sphc);
        });
        sums.flush({{to_features, F, F}, {to_sphc, M, M}}, -1);
      });
    });
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["degrees"] = degrees;
    context->saved_data["heads"] = heads;
    context->saved_data["spacing"] = spacing;
    context->saved_data["softening"] = softening;
    return {gained.total(), moved.total()};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const AttentionWeights w(saved.data() + N_ARRAYS, context->saved_data["degrees"].toIntVector(),
                             context->saved_data["heads"].toInt(), context->saved_data["spacing"].toDouble(),
                             context->saved_data["softening"].toDouble());
    const auto options = saved[0].options();
    const int64_t N = saved[1].size(0), F = w.width(), M = saved[1].size(1), P = saved[2].size(0);
    const Tensor by_features = gradients[0].contiguous();
    const Tensor by_moved = gradients[1].contiguous();
    const auto starts = even_starts(P, n_chunks(P, EDGE_GRAIN));
    const int64_t chunks = starts.size() - 1, stride = saved[0].size(1);
    const Accumulator by_projected(chunks, {N, stride}, options), by_sphc(chunks, by_moved);
    Tensor by_scalars = by_features.clone();
    Tensor by_distance = at::empty({P}, options), by_envelope = at::empty({P}, options);
    Tensor by_harmonics = at::empty({P, M}, options);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "pair_attention_backward", [&] {
      const PairData<scalar_t> data = pair_data<scalar_t>(saved);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        scalar_t *to_projected = by_projected.data<scalar_t>(chunk), *to_sphc = by_sphc.data<scalar_t>(chunk);
        AttentionSums<scalar_t> sums(w, data);
        for_filter_blocks<scalar_t>(w, begin, end, [&](FilterBlock<scalar_t>& block, int64_t first, int64_t rows) {
          block.evaluate(data, first, rows, true);
          sums.backward(block.filter(), first, rows, by_features.const_data_ptr<scalar_t>(),
                        by_moved.const_data_ptr<scalar_t>(), to_projected, by_envelope.mutable_data_ptr<scalar_t>(),
                        by_harmonics.mutable_data_ptr<scalar_t>());
          block.pull_back(data, first, rows, by_distance.mutable_data_ptr<scalar_t>(), to_sphc);
        });
        sums.flush({{to_projected, stride, 5 * F}}, -1);
      });
      const Tensor total = by_projected.total();
      add_pulled_back<scalar_t>(w.projection, total, by_scalars);
    });
    torch::autograd::variable_list result(12);
    result[0] = by_scalars;
    result[1] = by_sphc.total();
    result[2] = by_distance;
    result[3] = by_envelope;
    result[4] = by_harmonics;
    return result;
  }

 private:
  static constexpr size_t N_ARRAYS = 7;

  template <typename scalar>
  static PairData<scalar> pair_data(const torch::autograd::variable_list& saved) {
    return {saved[0].const_data_ptr<scalar>(),  saved[0].size(1),
            saved[1].const_data_ptr<scalar>(),  saved[2].const_data_ptr<scalar>(),
            saved[3].const_data_ptr<scalar>(),  saved[4].const_data_ptr<scalar>(),
            saved[5].const_data_ptr<int64_t>(), saved[6].const_data_ptr<int64_t>()};
  }
};

}  // namespace sakeff
