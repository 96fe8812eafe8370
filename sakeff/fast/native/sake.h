// Everything on the edges of one SAKE layer, fused; equations and shapes in sakeff/fast/sake.py.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "blocks.h"
#include "functions.h"
#include "network.h"

namespace sakeff {

// What does not depend on the structure. F width, K basis functions, H heads, C coefficients.
struct EdgeWeights {
  LinearMap projection;    // of features to what the first map and the filter take from the centre, then from the other
  Tensor projection_bias;  // (padded 2(F + K))
  Tensor centres;          // (K), A, of the Gaussians
  Tensor distance;         // (F), column of the first map that acts on the distance
  LinearMap filter;        // K to F, of the filtered basis
  LinearMap output;        // F to F
  Tensor output_bias;      // (padded F)
  LinearMap score;         // F to H
  LinearMap coefficients;  // H F to C
  double sharpness;        // 1 / (2 w^2) of the Gaussians, 1/A^2
  double softening;        // A

  EdgeWeights(const Tensor* t, double sharpness_, double softening_)
      : projection{t[0], t[1]}, projection_bias(t[2]), centres(t[3]), distance(t[4]), filter{t[5], t[6]},
        output{t[7], t[8]}, output_bias(t[9]), score{t[10], t[11]}, coefficients{t[12], t[13]}, sharpness(sharpness_),
        softening(softening_) {}

  int64_t F() const { return output.in(); }
  int64_t K() const { return filter.in(); }
  int64_t H() const { return score.out(); }
  int64_t C() const { return coefficients.out(); }
};

// Arrays of the edges and atoms of a structure.
template <typename scalar>
struct EdgeData {
  const scalar* projected;     // (N, stride): first map (F) and filter (K) of the centre, then of the other atom
  int64_t projected_stride;    // padded 2(F + K)
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
  scalar* projected;     // (N, padded 2(F + K))
  scalar* displacement;  // (N, 3)
  scalar* vector;        // (E, 3)
  scalar* envelope;      // (E)
};

// All edges of a few consecutive atoms: the sums over neighbours stay inside. Arrays have one row for each edge.
template <typename scalar>
class EdgeBlock {
 public:
  EdgeBlock(const EdgeWeights& weights, const EdgeData<scalar>& data, const std::vector<int64_t>& row_start,
            int64_t capacity)
      : w_(weights), data_(data), row_start_(row_start), F_(weights.F()), K_(weights.K()), H_(weights.H()),
        C_(weights.C()), geometry_(4 * capacity), by_direction_(3 * capacity), basis_(capacity, K_),
        filtered_(capacity, K_), before_(capacity, F_), hidden_(capacity, F_), features_(capacity, F_),
        score_(capacity, H_), exponential_(capacity, H_), attention_(capacity, H_), by_score_(capacity, H_),
        weighted_(capacity, H_ * F_), coefficient_(capacity, C_), by_features_(capacity, F_) {}

  // The layer on the edges of the atoms [first, last): everything up to attention weights and coefficients.
  void evaluate(int64_t first, int64_t last) {
    first_ = first;
    last_ = last;
    begin_ = row_start_[first];
    n_ = row_start_[last] - begin_;
    directions();
    edge_features();
    attention();
  }

  void sum_up(const EdgeOutputs<scalar>& out) {
    for (int64_t i = first_; i < last_; ++i) {
      scalar* __restrict__ aggregated = out.aggregated + H_ * F_ * i;
      scalar* __restrict__ combination = out.combinations + 3 * C_ * i;
      std::vector<scalar> sums(3 * C_, 0);
      scalar *__restrict__ along_x = sums.data(), *__restrict__ along_y = along_x + C_,
              *__restrict__ along_z = along_y + C_;
      for (int64_t e = row_start_[i] - begin_; e < row_start_[i + 1] - begin_; ++e) {
        const scalar* weighted = weighted_[e];
        for (int64_t f = 0; f < H_ * F_; ++f) aggregated[f] += weighted[f];
        const scalar x = geometry_[4 * e], y = geometry_[4 * e + 1], z = geometry_[4 * e + 2];
        const scalar* lambda = coefficient_[e];
        for (int64_t c = 0; c < C_; ++c) {
          along_x[c] += lambda[c] * x;
          along_y[c] += lambda[c] * y;
          along_z[c] += lambda[c] * z;
        }
      }
      for (int64_t c = 0; c < C_; ++c)
        for (int64_t a = 0; a < 3; ++a) combination[3 * c + a] = sums[a * C_ + c];
    }
  }

  // Gradients of everything, given those of the sums; after evaluate(). Buffers are used again for gradients.
  void pull_back(const scalar* by_aggregated, const scalar* by_combinations, const EdgeGradients<scalar>& out) {
    combinations_backward(by_combinations);
    w_.coefficients.template pull_back<scalar>(coefficient_.rows(), n_, weighted_.rows());
    weighted_backward(by_aggregated);
    attention_backward(out.envelope);
    w_.score.template pull_back<scalar>(by_score_.rows(), n_, by_features_.rows(), true);
    w_.output.template pull_back<scalar>(by_features_.rows(), n_, hidden_.rows());
    for (int64_t i = 0; i < n_ * before_.stride; ++i) hidden_.data[i] *= silu_slope(before_.data[i]);
    w_.filter.template pull_back<scalar>(hidden_.rows(), n_, filtered_.rows());
    atoms_backward(out);
  }

 private:
  // (capacity, padded columns).
  struct Buffer {
    std::vector<scalar> data;
    int64_t stride;

    Buffer(int64_t capacity, int64_t columns) : data(capacity * padded(columns), 0), stride(padded(columns)) {}
    scalar* operator[](int64_t row) { return data.data() + row * stride; }
    Rows<scalar> rows() { return {data.data(), stride}; }
  };

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
    for (int64_t e = 0; e < n_; ++e) {
      const scalar* i = data_.projected + data_.projected_stride * data_.centre[edge(e)];
      const scalar* j = data_.projected + data_.projected_stride * data_.other[edge(e)] + F_ + K_;
      const scalar distance = geometry_[4 * e + 3];
      scalar *__restrict__ basis = basis_[e], *__restrict__ filtered = filtered_[e], *__restrict__ before = before_[e];
      for (int64_t k = 0; k < K_; ++k) {
        const scalar x = distance - centres[k];
        basis[k] = exponential(-sharpness * x * x);
      }
      for (int64_t f = 0; f < F_; ++f) before[f] = i[f] + j[f] + by_distance[f] * distance;
      for (int64_t k = 0; k < K_; ++k) filtered[k] = basis[k] * (i[F_ + k] + j[F_ + k]);
    }
    w_.filter.template apply<scalar>(filtered_.rows(), n_, before_.rows(), true);
    for (int64_t i = 0; i < n_ * before_.stride; ++i) hidden_.data[i] = silu(before_.data[i]);
    fill_rows(w_.output_bias.template const_data_ptr<scalar>(), features_.stride, n_, features_.rows());
    w_.output.template apply<scalar>(hidden_.rows(), n_, features_.rows(), true);
  }

  // Eqs. 8-11: normalised weights, weighted features and coefficients of the combinations.
  void attention() {
    w_.score.template apply<scalar>(features_.rows(), n_, score_.rows());
    for (int64_t e = 0; e < n_; ++e)
      for (int64_t h = 0; h < H_; ++h) {
        // An edge far beyond the cutoff must not overflow before its envelope makes it zero.
        if (data_.envelope[edge(e)] == 0) score_[e][h] = 0;
        exponential_[e][h] = exponential(silu(score_[e][h]));
      }
    for_each_centre([&](int64_t start, int64_t end) {
      for (int64_t h = 0; h < H_; ++h) {
        scalar total = 1;
        for (int64_t e = start; e < end; ++e) total += exponential_[e][h] * data_.envelope[edge(e)];
        for (int64_t e = start; e < end; ++e)
          attention_[e][h] = exponential_[e][h] * data_.envelope[edge(e)] / total;
      }
    });
    for (int64_t e = 0; e < n_; ++e)
      for (int64_t h = 0; h < H_; ++h) {
        const scalar* features = features_[e];
        scalar* __restrict__ weighted = weighted_[e] + h * F_;
        const scalar weight = attention_[e][h];
        for (int64_t f = 0; f < F_; ++f) weighted[f] = weight * features[f];
      }
    w_.coefficients.template apply<scalar>(weighted_.rows(), n_, coefficient_.rows());
    for (int64_t i = 0; i < n_ * coefficient_.stride; ++i) coefficient_.data[i] = tanh_of(coefficient_.data[i]);
  }

  // Through eq. 11: coefficients are replaced by the gradients of what tanh sees; gradients of the directions.
  void combinations_backward(const scalar* by_combinations) {
    std::vector<scalar> by(3 * C_);
    int64_t centre = -1;
    for (int64_t e = 0; e < n_; ++e) {
      if (data_.centre[edge(e)] != centre) {
        centre = data_.centre[edge(e)];
        for (int64_t c = 0; c < C_; ++c)
          for (int64_t a = 0; a < 3; ++a) by[a * C_ + c] = by_combinations[3 * (C_ * centre + c) + a];
      }
      const scalar *gx = by.data(), *gy = gx + C_, *gz = gy + C_;
      const scalar x = geometry_[4 * e], y = geometry_[4 * e + 1], z = geometry_[4 * e + 2];
      scalar by_x = 0, by_y = 0, by_z = 0;
      scalar* __restrict__ lambda = coefficient_[e];
      for (int64_t c = 0; c < C_; ++c) {
        by_x += lambda[c] * gx[c];
        by_y += lambda[c] * gy[c];
        by_z += lambda[c] * gz[c];
        lambda[c] = (1 - lambda[c] * lambda[c]) * (gx[c] * x + gy[c] * y + gz[c] * z);
      }
      by_direction_[3 * e] = by_x;
      by_direction_[3 * e + 1] = by_y;
      by_direction_[3 * e + 2] = by_z;
    }
  }

  // weighted_ holds its gradient from the coefficients; by_score_ becomes that of the normalised attention.
  void weighted_backward(const scalar* by_aggregated) {
    for (int64_t e = 0; e < n_; ++e) {
      const scalar *sums = by_aggregated + H_ * F_ * data_.centre[edge(e)], *more = weighted_[e], *x = features_[e];
      scalar* __restrict__ to = by_features_[e];
      for (int64_t f = 0; f < F_; ++f) to[f] = 0;
      for (int64_t h = 0; h < H_; ++h, sums += F_, more += F_) {
        const scalar weight = attention_[e][h];
        scalar sum = 0;
        for (int64_t f = 0; f < F_; ++f) {
          const scalar by = sums[f] + more[f];
          sum += by * x[f];
          to[f] += weight * by;
        }
        by_score_[e][h] = sum;
      }
    }
  }

  // Through the normalisation w / (1 + sum w), w = envelope exp(silu(score)).
  void attention_backward(scalar* by_envelope) {
    for_each_centre([&](int64_t start, int64_t end) {
      for (int64_t e = start; e < end; ++e) by_envelope[edge(e)] = 0;
      for (int64_t h = 0; h < H_; ++h) {
        scalar total = 1, mean = 0;
        for (int64_t e = start; e < end; ++e) {
          total += exponential_[e][h] * data_.envelope[edge(e)];
          mean += attention_[e][h] * by_score_[e][h];
        }
        for (int64_t e = start; e < end; ++e) {
          const scalar by_weight = (by_score_[e][h] - mean) / total * exponential_[e][h];
          by_envelope[edge(e)] += by_weight;
          by_score_[e][h] = by_weight * data_.envelope[edge(e)] * silu_slope(score_[e][h]);
        }
      }
    });
  }

  // hidden_ holds the gradient of the first map, filtered_ that of the filtered basis.
  void atoms_backward(const EdgeGradients<scalar>& out) {
    const scalar* centres = w_.centres.template const_data_ptr<scalar>();
    const scalar* distance_weight = w_.distance.template const_data_ptr<scalar>();
    const scalar sharpness = w_.sharpness;
    std::vector<scalar> mine(F_ + K_, 0);
    for (int64_t e = 0; e < n_; ++e) {
      const int64_t at_i = data_.projected_stride * data_.centre[edge(e)];
      const int64_t at_j = data_.projected_stride * data_.other[edge(e)] + F_ + K_;
      const scalar *i = data_.projected + at_i + F_, *j = data_.projected + at_j + F_, *basis = basis_[e];
      scalar *__restrict__ to_i = mine.data(), *__restrict__ to_j = out.projected + at_j;
      const scalar *by_before = hidden_[e], *by_filtered = filtered_[e];
      const scalar distance = geometry_[4 * e + 3];
      scalar by_distance = 0, by_basis = 0;
      for (int64_t f = 0; f < F_; ++f) {
        to_i[f] += by_before[f];
        to_j[f] += by_before[f];
        by_distance += by_before[f] * distance_weight[f];
      }
      for (int64_t k = 0; k < K_; ++k) {
        const scalar g = by_filtered[k] * basis[k];
        to_i[F_ + k] += g;
        to_j[F_ + k] += g;
        by_basis += g * (i[k] + j[k]) * (distance - centres[k]);
      }
      vector_backward(e, by_distance - 2 * sharpness * by_basis, out);
      if (e + 1 < n_ && data_.centre[edge(e + 1)] == data_.centre[edge(e)]) continue;
      for (int64_t f = 0; f < F_ + K_; ++f) out.projected[at_i + f] += mine[f];
      std::fill(mine.begin(), mine.end(), scalar(0));
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
  std::vector<scalar> geometry_, by_direction_;
  Buffer basis_, filtered_, before_, hidden_, features_, score_, exponential_, attention_, by_score_, weighted_,
      coefficient_, by_features_;
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
  const int64_t edges = row_start.back(), n_atoms = row_start.size() - 1, chunks = n_chunks(edges, EDGE_GRAIN);
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

// Eqs. 7-11 of one layer: features (N, F) to aggregated edge features (N, H F) and combinations (N, C, 3).
class EdgeLayer : public torch::autograd::Function<EdgeLayer> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const Tensor& scalars, const Tensor& displacement,
      const Tensor& vector, const Tensor& envelope, const Tensor& centre, const Tensor& other,
      const std::vector<Tensor>& weights, double sharpness, double softening) {
    const EdgeWeights w(weights.data(), sharpness, softening);
    const int64_t N = scalars.size(0);
    const auto options = scalars.options();
    const Tensor features = scalars.contiguous();
    const Tensor projected = scratch({N, w.projection_bias.size(0)}, options);
    torch::autograd::variable_list saved{projected,          displacement.contiguous(), vector.contiguous(),
                                         envelope.contiguous(), centre.contiguous(),       other.contiguous()};
    Tensor aggregated = at::zeros({N, w.H() * w.F()}, options), combinations = at::zeros({N, w.C(), 3}, options);
    const auto row_start = row_starts(saved[4], N);
    AT_DISPATCH_FLOATING_TYPES(scalars.scalar_type(), "edge_layer", [&] {
      const Rows<const scalar_t> x{features.const_data_ptr<scalar_t>(), w.F()};
      const Rows<scalar_t> y{projected.mutable_data_ptr<scalar_t>(), projected.size(1)};
      for_atoms(N, [&](int64_t begin, int64_t end) {
        const Rows<scalar_t> rows{y[begin], y.stride};
        fill_rows(w.projection_bias.const_data_ptr<scalar_t>(), y.stride, end - begin, rows);
        w.projection.apply<scalar_t>({x[begin], x.stride}, end - begin, rows, true);
      });
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
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["sharpness"] = sharpness;
    context->saved_data["softening"] = softening;
    return {aggregated, combinations};
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, const torch::autograd::variable_list& gradients) {
    check_differentiated_once();
    const auto saved = context->get_saved_variables();
    const EdgeWeights w(saved.data() + N_ARRAYS, context->saved_data["sharpness"].toDouble(),
                        context->saved_data["softening"].toDouble());
    const auto options = saved[0].options();
    const int64_t N = saved[0].size(0);
    const Tensor by_aggregated = gradients[0].contiguous();
    const Tensor by_combinations = gradients[1].contiguous();
    const auto row_start = row_starts(saved[4], N);
    const auto starts = atom_starts(row_start);
    const int64_t chunks = starts.size() - 1;
    const Accumulator by_projected(chunks, saved[0].sizes(), options), by_displacement(chunks, {N, 3}, options);
    const Tensor by_scalars = at::zeros({N, w.F()}, options);
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
      add_pulled_back<scalar_t>(w.projection, by_projected.total(), by_scalars);
    });
    torch::autograd::variable_list result(9);
    result[0] = by_scalars;
    result[1] = by_displacement.total();
    result[2] = by_vector;
    result[3] = by_envelope;
    return result;
  }

 private:
  static constexpr size_t N_ARRAYS = 6;

  template <typename scalar>
  static EdgeData<scalar> edge_data(const torch::autograd::variable_list& saved) {
    return {saved[0].const_data_ptr<scalar>(),  saved[0].size(1),
            saved[1].const_data_ptr<scalar>(),  saved[2].const_data_ptr<scalar>(),
            saved[3].const_data_ptr<scalar>(),  saved[4].const_data_ptr<int64_t>(),
            saved[5].const_data_ptr<int64_t>()};
  }
};

}  // namespace sakeff
