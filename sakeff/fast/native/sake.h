// Everything on the edges of one SAKE layer, fused; equations and shapes in sakeff/fast/sake.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <vector>

#include "blocks.h"

namespace sakeff {

// What does not depend on the structure. F width, K basis functions, H heads, C coefficients.
struct EdgeWeights {
  Tensor centres;       // (K), A, of the Gaussians
  Tensor distance;      // (F), column of the first map that acts on the distance
  Tensor filter;        // (F, K), columns that act on the filtered basis
  Tensor output;        // (F, F)
  Tensor output_bias;   // (F)
  Tensor score;         // (H, F)
  Tensor coefficients;  // (C, H F)
  double sharpness;     // 1 / (2 w^2) of the Gaussians, 1/A^2
  double softening;     // A

  int64_t F() const { return output.size(0); }
  int64_t K() const { return centres.size(0); }
  int64_t H() const { return score.size(0); }
  int64_t C() const { return coefficients.size(0); }
};

// Arrays of the edges and atoms of a structure.
template <typename scalar>
struct EdgeData {
  const scalar* projected;     // (N, 2(F + K)): first map and filter of the centre, then of the other atom
  const scalar* displacement;  // (N, 3)
  const scalar* vector;        // (E, 3)
  const scalar* envelope;      // (E)
  const int64_t* centre;       // (E), sorted
  const int64_t* other;        // (E)
};

// Where the results or their gradients go.
template <typename scalar>
struct EdgeOutputs {
  scalar* aggregated;    // (N, H F)
  scalar* combinations;  // (N, C, 3)
};

template <typename scalar>
struct EdgeGradients {
  scalar* projected;     // (N, 2(F + K))
  scalar* displacement;  // (N, 3)
  scalar* vector;        // (E, 3)
  scalar* envelope;      // (E)
};

// All edges of a few consecutive atoms: the sums over neighbours stay inside.
template <typename scalar>
class EdgeBlock {
 public:
  EdgeBlock(const EdgeWeights& weights, const EdgeData<scalar>& data, const std::vector<int64_t>& row_start,
            int64_t capacity)
      : w_(weights), data_(data), row_start_(row_start), F_(weights.F()), K_(weights.K()), H_(weights.H()),
        C_(weights.C()) {
    const auto options = weights.output.options();
    const std::vector<int64_t> widths{K_, K_, F_, F_, F_, H_, H_, H_ * F_, C_, C_, F_, H_, H_, H_ * F_};
    for (const int64_t width : widths) buffers_.push_back(at::empty({capacity, width}, options));
    geometry_.resize(4 * capacity);
  }

  // The layer on the edges of the atoms [first, last): everything up to attention weights and coefficients.
  void evaluate(int64_t first, int64_t last) {
    first_ = first;
    last_ = last;
    begin_ = row_start_[first];
    n_ = row_start_[last] - begin_;
    for (const Tensor& buffer : buffers_) views_[&buffer - buffers_.data()] = buffer.narrow(0, 0, n_);
    directions();
    edge_features();
    attention();
  }

  void sum_up(const EdgeOutputs<scalar>& out) {
    const scalar *weighted = data_of(WEIGHTED), *coefficient = data_of(COEFFICIENT);
    for (int64_t i = first_; i < last_; ++i) {
      scalar* __restrict__ aggregated = out.aggregated + H_ * F_ * i;
      scalar* __restrict__ combination = out.combinations + 3 * C_ * i;
      for (int64_t e = row_start_[i] - begin_; e < row_start_[i + 1] - begin_; ++e) {
        for (int64_t f = 0; f < H_ * F_; ++f) aggregated[f] += weighted[H_ * F_ * e + f];
        const scalar x = geometry_[4 * e], y = geometry_[4 * e + 1], z = geometry_[4 * e + 2];
        for (int64_t c = 0; c < C_; ++c) {
          const scalar lambda = coefficient[C_ * e + c];
          combination[3 * c] += lambda * x;
          combination[3 * c + 1] += lambda * y;
          combination[3 * c + 2] += lambda * z;
        }
      }
    }
  }

  // Gradients of everything, given those of the sums; after evaluate().
  void pull_back(const scalar* by_aggregated, const scalar* by_combinations, const EdgeGradients<scalar>& out) {
    combinations_backward(by_combinations);
    at::mm_out(view(BY_WEIGHTED), view(BY_COEFFICIENT), w_.coefficients);
    weighted_backward(by_aggregated);
    attention_backward(out.envelope);
    at::addmm_out(view(BY_FEATURES), view(BY_FEATURES), view(BY_SCORE), w_.score);
    at::mm_out(view(HIDDEN), view(BY_FEATURES), w_.output);
    at::silu_backward_out(view(HIDDEN), view(HIDDEN), view(BEFORE));
    at::mm_out(view(FILTERED), view(HIDDEN), w_.filter);
    atoms_backward(out);
  }

 private:
  enum Buffer {
    BASIS, FILTERED, BEFORE, HIDDEN, FEATURES, SCORE, ATTENTION, WEIGHTED, COEFFICIENT, BY_COEFFICIENT, BY_FEATURES,
    BY_ATTENTION, BY_SCORE, BY_WEIGHTED, N_BUFFERS
  };

  Tensor& view(Buffer name) { return views_[name]; }
  scalar* data_of(Buffer name) { return buffers_[name].template mutable_data_ptr<scalar>(); }
  int64_t edge(int64_t e) const { return begin_ + e; }

  // Direction (3) and smooth distance of each edge.
  void directions() {
    const scalar square = w_.softening * w_.softening;
    for (int64_t e = 0; e < n_; ++e) {
      const scalar* from = data_.displacement + 3 * data_.centre[edge(e)];
      const scalar* to = data_.displacement + 3 * data_.other[edge(e)];
      const scalar* v = data_.vector + 3 * edge(e);
      scalar* g = geometry_.data() + 4 * e;
      for (int a = 0; a < 3; ++a) g[a] = v[a] + (to[a] - from[a]);
      g[3] = std::sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2] + square);
      for (int a = 0; a < 3; ++a) g[a] /= g[3];
    }
  }

  // Eq. 7.
  void edge_features() {
    const scalar* centres = w_.centres.template const_data_ptr<scalar>();
    const scalar* by_distance = w_.distance.template const_data_ptr<scalar>();
    const scalar sharpness = w_.sharpness;
    // Below this exponent the exponential is denormal: tiny, and slow to compute.
    const scalar lowest = std::log(std::numeric_limits<scalar>::min()) + 1;
    scalar *basis = data_of(BASIS), *filtered = data_of(FILTERED), *before = data_of(BEFORE);
    for (int64_t e = 0; e < n_; ++e)
      for (int64_t k = 0; k < K_; ++k) {
        const scalar x = geometry_[4 * e + 3] - centres[k];
        basis[K_ * e + k] = std::max(-sharpness * x * x, lowest);
      }
    at::exp_out(view(BASIS), view(BASIS));
    for (int64_t e = 0; e < n_; ++e) {
      const scalar* i = data_.projected + 2 * (F_ + K_) * data_.centre[edge(e)];
      const scalar* j = data_.projected + 2 * (F_ + K_) * data_.other[edge(e)] + F_ + K_;
      const scalar distance = geometry_[4 * e + 3];
      for (int64_t f = 0; f < F_; ++f) before[F_ * e + f] = i[f] + j[f] + by_distance[f] * distance;
      for (int64_t k = 0; k < K_; ++k) filtered[K_ * e + k] = basis[K_ * e + k] * (i[F_ + k] + j[F_ + k]);
    }
    at::addmm_out(view(BEFORE), view(BEFORE), view(FILTERED), w_.filter.t());
    at::silu_out(view(HIDDEN), view(BEFORE));
    at::addmm_out(view(FEATURES), w_.output_bias, view(HIDDEN), w_.output.t());
  }

  // Eqs. 8-11: normalised weights, weighted features and coefficients of the combinations.
  void attention() {
    at::mm_out(view(SCORE), view(FEATURES), w_.score.t());
    mask_scores();
    at::silu_out(view(BY_SCORE), view(SCORE));
    at::exp_out(view(BY_ATTENTION), view(BY_SCORE));
    scalar *exponential = data_of(BY_ATTENTION), *attention = data_of(ATTENTION);
    for_each_centre([&](int64_t start, int64_t end) {
      for (int64_t h = 0; h < H_; ++h) {
        scalar total = 1;
        for (int64_t e = start; e < end; ++e) total += exponential[H_ * e + h] * data_.envelope[edge(e)];
        for (int64_t e = start; e < end; ++e)
          attention[H_ * e + h] = exponential[H_ * e + h] * data_.envelope[edge(e)] / total;
      }
    });
    const scalar* features = data_of(FEATURES);
    scalar* __restrict__ weighted = data_of(WEIGHTED);
    for (int64_t e = 0; e < n_; ++e)
      for (int64_t h = 0; h < H_; ++h)
        for (int64_t f = 0; f < F_; ++f)
          weighted[(H_ * e + h) * F_ + f] = attention[H_ * e + h] * features[F_ * e + f];
    at::mm_out(view(COEFFICIENT), view(WEIGHTED), w_.coefficients.t());
    at::tanh_out(view(COEFFICIENT), view(COEFFICIENT));
  }

  // An edge far beyond the cutoff must not overflow before its envelope makes it zero.
  void mask_scores() {
    scalar* score = data_of(SCORE);
    for (int64_t e = 0; e < n_; ++e)
      if (data_.envelope[edge(e)] == 0)
        for (int64_t h = 0; h < H_; ++h) score[H_ * e + h] = 0;
  }

  // Through eq. 11: gradients of what tanh sees and, in place of the directions' use, of the directions.
  void combinations_backward(const scalar* by_combinations) {
    by_direction_.assign(3 * n_, 0);
    const scalar* coefficient = data_of(COEFFICIENT);
    scalar* by_coefficient = data_of(BY_COEFFICIENT);
    for (int64_t e = 0; e < n_; ++e) {
      const scalar* g = by_combinations + 3 * C_ * data_.centre[edge(e)];
      const scalar x = geometry_[4 * e], y = geometry_[4 * e + 1], z = geometry_[4 * e + 2];
      scalar by_x = 0, by_y = 0, by_z = 0;
      for (int64_t c = 0; c < C_; ++c) {
        const scalar lambda = coefficient[C_ * e + c];
        by_coefficient[C_ * e + c] = (1 - lambda * lambda) * (g[3 * c] * x + g[3 * c + 1] * y + g[3 * c + 2] * z);
        by_x += lambda * g[3 * c];
        by_y += lambda * g[3 * c + 1];
        by_z += lambda * g[3 * c + 2];
      }
      by_direction_[3 * e] = by_x;
      by_direction_[3 * e + 1] = by_y;
      by_direction_[3 * e + 2] = by_z;
    }
  }

  void weighted_backward(const scalar* by_aggregated) {
    const scalar *features = data_of(FEATURES), *attention = data_of(ATTENTION), *by_weighted = data_of(BY_WEIGHTED);
    scalar *by_normalised = data_of(BY_SCORE), *by_features = data_of(BY_FEATURES);
    for (int64_t e = 0; e < n_; ++e) {
      const scalar* g = by_aggregated + H_ * F_ * data_.centre[edge(e)];
      const scalar* more = by_weighted + H_ * F_ * e;
      scalar* __restrict__ to = by_features + F_ * e;
      for (int64_t f = 0; f < F_; ++f) to[f] = 0;
      for (int64_t h = 0; h < H_; ++h) {
        scalar sum = 0;
        for (int64_t f = 0; f < F_; ++f) {
          const scalar by = g[F_ * h + f] + more[F_ * h + f];
          sum += by * features[F_ * e + f];
          to[f] += attention[H_ * e + h] * by;
        }
        by_normalised[H_ * e + h] = sum;
      }
    }
  }

  // Through the normalisation w / (1 + sum w), w = envelope exp(silu(score)).
  void attention_backward(scalar* by_envelope) {
    const scalar *exponential = data_of(BY_ATTENTION), *attention = data_of(ATTENTION), *score = data_of(SCORE);
    scalar* by_score = data_of(BY_SCORE);  // holds the gradient of the normalised weights
    for_each_centre([&](int64_t start, int64_t end) {
      for (int64_t e = start; e < end; ++e) by_envelope[edge(e)] = 0;
      for (int64_t h = 0; h < H_; ++h) {
        scalar total = 1, mean = 0;
        for (int64_t e = start; e < end; ++e) {
          total += exponential[H_ * e + h] * data_.envelope[edge(e)];
          mean += attention[H_ * e + h] * by_score[H_ * e + h];
        }
        for (int64_t e = start; e < end; ++e) {
          const scalar by_weight = (by_score[H_ * e + h] - mean) / total;
          by_envelope[edge(e)] += by_weight * exponential[H_ * e + h];
          const scalar x = score[H_ * e + h], sigmoid = 1 / (1 + std::exp(-x));
          by_score[H_ * e + h] = by_weight * exponential[H_ * e + h] * data_.envelope[edge(e)] * sigmoid *
              (1 + x * (1 - sigmoid));
        }
      }
    });
  }

  // HIDDEN holds the gradient of the first map, FILTERED that of the filtered basis.
  void atoms_backward(const EdgeGradients<scalar>& out) {
    const scalar* centres = w_.centres.template const_data_ptr<scalar>();
    const scalar* distance_weight = w_.distance.template const_data_ptr<scalar>();
    const scalar sharpness = w_.sharpness;
    const scalar *by_before = data_of(HIDDEN), *by_filtered = data_of(FILTERED), *basis = data_of(BASIS);
    for (int64_t e = 0; e < n_; ++e) {
      const int64_t at_i = 2 * (F_ + K_) * data_.centre[edge(e)];
      const int64_t at_j = 2 * (F_ + K_) * data_.other[edge(e)] + F_ + K_;
      const scalar *i = data_.projected + at_i, *j = data_.projected + at_j;
      scalar *to_i = out.projected + at_i, *to_j = out.projected + at_j;
      scalar by_distance = 0;
      for (int64_t f = 0; f < F_; ++f) {
        const scalar g = by_before[F_ * e + f];
        to_i[f] += g;
        to_j[f] += g;
        by_distance += g * distance_weight[f];
      }
      const scalar distance = geometry_[4 * e + 3];
      for (int64_t k = 0; k < K_; ++k) {
        const scalar g = by_filtered[K_ * e + k] * basis[K_ * e + k];
        to_i[F_ + k] += g;
        to_j[F_ + k] += g;
        by_distance += g * (i[F_ + k] + j[F_ + k]) * (-2 * sharpness) * (distance - centres[k]);
      }
      vector_backward(e, by_distance, out);
    }
  }

  void vector_backward(int64_t e, scalar by_distance, const EdgeGradients<scalar>& out) {
    const scalar *g = geometry_.data() + 4 * e, *by = by_direction_.data() + 3 * e;
    const scalar along = g[0] * by[0] + g[1] * by[1] + g[2] * by[2];
    for (int a = 0; a < 3; ++a) {
      const scalar part = by_distance * g[a] + (by[a] - along * g[a]) / g[3];
      out.vector[3 * edge(e) + a] = part;
      out.displacement[3 * data_.other[edge(e)] + a] += part;
      out.displacement[3 * data_.centre[edge(e)] + a] -= part;
    }
  }

  template <typename Body>
  void for_each_centre(const Body& body) const {
    for (int64_t i = first_; i < last_; ++i) body(row_start_[i] - begin_, row_start_[i + 1] - begin_);
  }

  const EdgeWeights& w_;
  const EdgeData<scalar>& data_;
  const std::vector<int64_t>& row_start_;
  int64_t F_, K_, H_, C_;
  int64_t first_ = 0, last_ = 0, begin_ = 0, n_ = 0;
  std::vector<Tensor> buffers_;
  Tensor views_[N_BUFFERS];
  std::vector<scalar> geometry_, by_direction_;
};

// Edges [row_start[i], row_start[i + 1]) belong to centre i.
inline std::vector<int64_t> row_starts(const Tensor& centre, int64_t n_atoms) {
  std::vector<int64_t> starts(n_atoms + 1, 0);
  const int64_t* c = centre.const_data_ptr<int64_t>();
  for (int64_t e = 0; e < centre.size(0); ++e) ++starts[c[e] + 1];
  for (int64_t i = 0; i < n_atoms; ++i) starts[i + 1] += starts[i];
  return starts;
}

// Atoms for each thread with about the same number of edges.
inline std::vector<int64_t> atom_starts(const std::vector<int64_t>& row_start) {
  const int64_t edges = row_start.back(), n_atoms = row_start.size() - 1, chunks = n_chunks(edges);
  std::vector<int64_t> starts(chunks + 1, n_atoms);
  for (int64_t c = 0; c < chunks; ++c)
    starts[c] = std::lower_bound(row_start.begin(), row_start.end() - 1, edges * c / chunks) - row_start.begin();
  starts[0] = 0;
  return starts;
}

// Calls body(block, first, last) for groups of consecutive atoms with about BLOCK edges.
template <typename scalar, typename Body>
void for_edge_blocks(const EdgeWeights& weights, const EdgeData<scalar>& data, const std::vector<int64_t>& row_start,
                     int64_t begin, int64_t end, const Body& body) {
  std::vector<int64_t> groups{begin};
  int64_t longest = 0;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t edges = row_start[i + 1] - row_start[groups.back()];
    if (edges > BLOCK && i > groups.back()) groups.push_back(i);
    longest = std::max(longest, row_start[i + 1] - row_start[groups.back()]);
  }
  groups.push_back(end);
  EdgeBlock<scalar> block(weights, data, row_start, longest);
  for (size_t g = 0; g + 1 < groups.size(); ++g)
    if (row_start[groups[g + 1]] > row_start[groups[g]]) body(block, groups[g], groups[g + 1]);
}

class EdgeLayer : public torch::autograd::Function<EdgeLayer> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& projected, const Tensor& displacement,
      const Tensor& vector, const Tensor& envelope, const Tensor& centre, const Tensor& other,
      const std::vector<Tensor>& weights, double sharpness, double softening) {
    torch::autograd::variable_list saved{projected.contiguous(), displacement.contiguous(), vector.contiguous(),
                                         envelope.contiguous(),  centre,                    other};
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["sharpness"] = sharpness;
    context->saved_data["softening"] = softening;
    const EdgeWeights w = edge_weights(saved, sharpness, softening);
    const int64_t N = projected.size(0);
    Tensor aggregated = at::zeros({N, w.H() * w.F()}, projected.options());
    Tensor combinations = at::zeros({N, w.C(), 3}, projected.options());
    const auto row_start = row_starts(centre, N);
    AT_DISPATCH_FLOATING_TYPES(projected.scalar_type(), "edge_layer", [&] {
      const EdgeData<scalar_t> data = edge_data<scalar_t>(saved);
      const EdgeOutputs<scalar_t> out{aggregated.mutable_data_ptr<scalar_t>(),
                                      combinations.mutable_data_ptr<scalar_t>()};
      for_chunks(atom_starts(row_start), [&](int64_t, int64_t begin, int64_t end) {
        for_edge_blocks<scalar_t>(w, data, row_start, begin, end,
                                  [&](EdgeBlock<scalar_t>& block, int64_t first, int64_t last) {
                                    block.evaluate(first, last);
                                    block.sum_up(out);
                                  });
      });
    });
    return {aggregated, combinations};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const EdgeWeights w =
        edge_weights(saved, context->saved_data["sharpness"].toDouble(), context->saved_data["softening"].toDouble());
    const auto options = saved[0].options();
    const int64_t N = saved[0].size(0);
    const Tensor by_aggregated =
        gradients[0].defined() ? gradients[0].contiguous() : at::zeros({N, w.H() * w.F()}, options);
    const Tensor by_combinations =
        gradients[1].defined() ? gradients[1].contiguous() : at::zeros({N, w.C(), 3}, options);
    const auto row_start = row_starts(saved[4], N);
    const auto starts = atom_starts(row_start);
    const int64_t chunks = starts.size() - 1;
    const Accumulator by_projected(chunks, saved[0].sizes(), options), by_displacement(chunks, {N, 3}, options);
    Tensor by_vector = at::empty_like(saved[2]), by_envelope = at::empty_like(saved[3]);
    AT_DISPATCH_FLOATING_TYPES(saved[0].scalar_type(), "edge_layer_backward", [&] {
      const EdgeData<scalar_t> data = edge_data<scalar_t>(saved);
      for_chunks(starts, [&](int64_t chunk, int64_t begin, int64_t end) {
        const EdgeGradients<scalar_t> out{by_projected.data<scalar_t>(chunk), by_displacement.data<scalar_t>(chunk),
                                          by_vector.mutable_data_ptr<scalar_t>(),
                                          by_envelope.mutable_data_ptr<scalar_t>()};
        for_edge_blocks<scalar_t>(w, data, row_start, begin, end,
                                  [&](EdgeBlock<scalar_t>& block, int64_t first, int64_t last) {
                                    block.evaluate(first, last);
                                    block.pull_back(by_aggregated.const_data_ptr<scalar_t>(),
                                                    by_combinations.const_data_ptr<scalar_t>(), out);
                                  });
      });
    });
    torch::autograd::variable_list result(9);
    result[0] = by_projected.total();
    result[1] = by_displacement.total();
    result[2] = by_vector;
    result[3] = by_envelope;
    return result;
  }

 private:
  static EdgeWeights edge_weights(const torch::autograd::variable_list& saved, double sharpness, double softening) {
    return {saved[6], saved[7], saved[8], saved[9], saved[10], saved[11], saved[12], sharpness, softening};
  }

  template <typename scalar>
  static EdgeData<scalar> edge_data(const torch::autograd::variable_list& saved) {
    return {saved[0].const_data_ptr<scalar>(), saved[1].const_data_ptr<scalar>(), saved[2].const_data_ptr<scalar>(),
            saved[3].const_data_ptr<scalar>(), saved[4].const_data_ptr<int64_t>(), saved[5].const_data_ptr<int64_t>()};
  }
};

}  // namespace sakeff
