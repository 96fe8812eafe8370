// The operators as TorchScript sees them. They run on the CPU and can be differentiated once.
#include <torch/library.h>

#include <algorithm>

#include "geometry.h"
#include "interaction.h"
#include "product.h"
#include "sake.h"
#include "sake_atoms.h"
#include "so3krates.h"

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor, Tensor, Tensor> pair_geometry(
    const Tensor& vector, const Tensor& centre, const Tensor& other, int64_t n_atoms, std::vector<int64_t> degrees,
    double cutoff, std::vector<double> coefficients, double scale) {
  const auto out = sakeff::PairGeometry::apply(
      vector, centre, other, n_atoms, degrees, sakeff::Envelope{cutoff, coefficients}, scale);
  return {out[0], out[1], out[2], out[3]};
}

std::tuple<Tensor, Tensor> pair_attention(
    const Tensor& scalars, const Tensor& sphc, const Tensor& distance, const Tensor& envelope, const Tensor& harmonics,
    const Tensor& centre, const Tensor& other, std::vector<Tensor> weights, std::vector<int64_t> degrees, int64_t heads,
    double spacing, double softening) {
  const auto out = sakeff::PairAttention::apply(
      scalars, sphc, distance, envelope, harmonics, centre, other, weights, degrees, heads, spacing, softening);
  return {out[0], out[1]};
}

std::tuple<Tensor, Tensor> atomwise_interaction(
    const Tensor& scalars, const Tensor& sphc, std::vector<Tensor> weights, std::vector<int64_t> degrees,
    double softening) {
  const auto out = sakeff::AtomwiseInteraction::apply(scalars, sphc, weights, degrees, softening);
  return {out[0], out[1]};
}

std::tuple<Tensor, Tensor> edge_layer(
    const Tensor& scalars, const Tensor& displacement, const Tensor& vector, const Tensor& envelope,
    const Tensor& centre, const Tensor& other, std::vector<Tensor> weights, double sharpness, double softening) {
  const Tensor index = centre.contiguous();
  const int64_t* c = index.const_data_ptr<int64_t>();
  if (std::is_sorted(c, c + index.numel())) {
    const auto out = sakeff::EdgeLayer::apply(
        scalars, displacement, vector, envelope, centre, other, weights, sharpness, softening);
    return {out[0], out[1]};
  }
  // Lists are sorted by centre, but padding may come after them.
  const Tensor order = centre.argsort(/*stable=*/true, 0, /*descending=*/false);
  const auto out = sakeff::EdgeLayer::apply(
      scalars, displacement, vector.index_select(0, order), envelope.index_select(0, order),
      centre.index_select(0, order), other.index_select(0, order), weights, sharpness, softening);
  return {out[0], out[1]};
}

std::tuple<Tensor, Tensor, Tensor> atom_layer(
    const Tensor& scalars, const Tensor& displacement, const Tensor& velocity, const Tensor& aggregated,
    const Tensor& combinations, std::vector<Tensor> weights) {
  const auto out = sakeff::AtomLayer::apply(scalars, displacement, velocity, aggregated, combinations, weights);
  return {out[0], out[1], out[2]};
}

Tensor edge_envelope(const Tensor& vector, double cutoff, std::vector<double> coefficients) {
  return sakeff::EdgeEnvelope::apply(vector, sakeff::Envelope{cutoff, coefficients});
}

}  // namespace

TORCH_LIBRARY(sakeff, library) {
  library.def(
      "pair_geometry(Tensor vector, Tensor centre, Tensor other, int n_atoms, int[] degrees, float cutoff, "
      "float[] coefficients, float scale) -> (Tensor, Tensor, Tensor, Tensor)",
      pair_geometry);
  library.def(
      "pair_attention(Tensor scalars, Tensor sphc, Tensor distance, Tensor envelope, Tensor harmonics, Tensor centre, "
      "Tensor other, Tensor[] weights, int[] degrees, int heads, float spacing, float softening) -> (Tensor, Tensor)",
      pair_attention);
  library.def(
      "atomwise_interaction(Tensor scalars, Tensor sphc, Tensor[] weights, int[] degrees, float softening) "
      "-> (Tensor, Tensor)",
      atomwise_interaction);
  library.def(
      "edge_layer(Tensor scalars, Tensor displacement, Tensor vector, Tensor envelope, Tensor centre, Tensor other, "
      "Tensor[] weights, float sharpness, float softening) -> (Tensor, Tensor)",
      edge_layer);
  library.def(
      "atom_layer(Tensor scalars, Tensor displacement, Tensor velocity, Tensor aggregated, Tensor combinations, "
      "Tensor[] weights) -> (Tensor, Tensor, Tensor)",
      atom_layer);
  library.def("matrix_product(Tensor a, Tensor b) -> Tensor");
  library.def("row_sums(Tensor values, Tensor index, int rows) -> Tensor");
  library.def("tanh(Tensor values) -> Tensor");
  library.def("edge_envelope(Tensor vector, float cutoff, float[] coefficients) -> Tensor", edge_envelope);
}

TORCH_LIBRARY_IMPL(sakeff, CPU, library) {
  library.impl("matrix_product", sakeff::matrix_product);
  library.impl("row_sums", sakeff::row_sums);
  library.impl("tanh", [](const Tensor& values) { return at::tanh(values.contiguous()); });
}

// For torch's compiler, which asks for the shapes alone.
TORCH_LIBRARY_IMPL(sakeff, Meta, library) {
  library.impl("matrix_product", [](const Tensor& a, const Tensor& b) {
    return at::empty({a.size(0), b.size(1)}, a.options());
  });
  library.impl("row_sums", [](const Tensor& values, const Tensor&, int64_t rows) {
    auto shape = values.sizes().vec();
    shape[0] = rows;
    return at::empty(shape, values.options());
  });
  library.impl("tanh", [](const Tensor& values) { return at::empty(values.sizes(), values.options()); });
}
