// The operators as TorchScript sees them. They run on the CPU and can be differentiated once.
#include <torch/library.h>

#include <algorithm>

#include "harmonics.h"
#include "sake.h"
#include "so3krates.h"

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor> pair_geometry(const Tensor& vector, std::vector<int64_t> degrees) {
  const auto out = sakeff::PairGeometry::apply(vector, degrees);
  return {out[0], out[1]};
}

std::tuple<Tensor, Tensor> pair_attention(
    const Tensor& projected, const Tensor& sphc, const Tensor& distance, const Tensor& envelope,
    const Tensor& harmonics, const Tensor& centre, const Tensor& other, const Tensor& table,
    const Tensor& hidden_weight, const Tensor& hidden_bias, const Tensor& output_weight, std::vector<int64_t> degrees,
    int64_t heads, double spacing, double softening) {
  const auto out = sakeff::PairAttention::apply(
      projected, sphc, distance, envelope, harmonics, centre, other, table, hidden_weight, hidden_bias, output_weight,
      degrees, heads, spacing, softening);
  return {out[0], out[1]};
}

std::tuple<Tensor, Tensor> edge_layer(
    const Tensor& projected, const Tensor& displacement, const Tensor& vector, const Tensor& envelope,
    const Tensor& centre, const Tensor& other, std::vector<Tensor> weights, double sharpness, double softening) {
  const int64_t* c = centre.const_data_ptr<int64_t>();
  if (std::is_sorted(c, c + centre.numel())) {
    const auto out = sakeff::EdgeLayer::apply(
        projected, displacement, vector, envelope, centre, other, weights, sharpness, softening);
    return {out[0], out[1]};
  }
  // Lists are sorted by centre, but padding may come after them.
  const Tensor order = centre.argsort(/*stable=*/true, 0, /*descending=*/false);
  const auto out = sakeff::EdgeLayer::apply(
      projected, displacement, vector.index_select(0, order), envelope.index_select(0, order),
      centre.index_select(0, order), other.index_select(0, order), weights, sharpness, softening);
  return {out[0], out[1]};
}

}  // namespace

TORCH_LIBRARY(sakeff, library) {
  library.def("pair_geometry(Tensor vector, int[] degrees) -> (Tensor, Tensor)", pair_geometry);
  library.def(
      "pair_attention(Tensor projected, Tensor sphc, Tensor distance, Tensor envelope, Tensor harmonics, "
      "Tensor centre, Tensor other, Tensor table, Tensor hidden_weight, Tensor hidden_bias, Tensor output_weight, "
      "int[] degrees, int heads, float spacing, float softening) -> (Tensor, Tensor)",
      pair_attention);
  library.def(
      "edge_layer(Tensor projected, Tensor displacement, Tensor vector, Tensor envelope, Tensor centre, Tensor other, "
      "Tensor[] weights, float sharpness, float softening) -> (Tensor, Tensor)",
      edge_layer);
}
