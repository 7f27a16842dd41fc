// SPDX-License-Identifier: MIT
// ctlm: the tensors that a decoder can have, declared once: name, role, scope, when it is there, and its shape. Sizes,
// initial values, weight decay, loaders, optimizer state and checkpoints all follow from this list.
#pragma once

#include "../spec/decoder.hpp"

namespace ctlm { inline namespace CTLM_ABI {

/// Names a tensor in code. Its number is the tensor's place in declared_tensors. A shape is [rows][cols]; layers have
/// one each of those from norm1_weight to after2_weight. Where there are experts, up_weight and down_weight have as
/// many matrices of the shape given here, one after the other.
enum class tensor_id : std::uint8_t {
  token_embedding,     ///< [vocab][d_model]
  position_embedding,  ///< [context][d_model]; where positions are learned
  norm1_weight,        ///< [d_model] gains of the norm before attention
  norm1_bias,          ///< [d_model]; of layer_norm with biases
  qkv_weight,          ///< [qkv_dim][d_model] projection to queries, keys and values
  qkv_bias,            ///< [qkv_dim]; with biases
  q_norm_weight,       ///< [head_dim] gains of the norm of every head of queries, before they rotate
  k_norm_weight,       ///< [head_dim] the same of keys
  out_weight,          ///< [d_model][q_dim] projection of what attention makes
  out_bias,            ///< [d_model]; with biases
  after1_weight,       ///< [d_model] gains of the norm of what attention adds
  norm2_weight,        ///< [d_model] gains of the norm before the feed-forward layer
  norm2_bias,          ///< [d_model]; of layer_norm with biases
  router_weight,       ///< [experts][d_model] projection to the experts' logits; where there are experts
  up_weight,           ///< [up_dim][d_model] first projection of the feed-forward layer; gated: the gate's rows first
  up_bias,             ///< [up_dim]; with biases
  down_weight,         ///< [d_model][d_ff] second projection of the feed-forward layer
  down_bias,           ///< [d_model]; with biases
  after2_weight,       ///< [d_model] gains of the norm of what the feed-forward layer adds
  norm_weight,         ///< [d_model] gains of the norm after the last block
  norm_bias,           ///< [d_model]; of layer_norm with biases
  head_weight,         ///< [vocab][d_model] projection to logits; where it is not tied to the token embedding
  // In the place of a projection's matrix, where it is factored: diag(d) u diag(s) v.
  qkv_u,   ///< [qkv_dim][qkv_rank] of a factored qkv_weight
  qkv_s,   ///< [qkv_rank]
  qkv_v,   ///< [qkv_rank][d_model]
  qkv_d,   ///< [qkv_dim]
  out_u,   ///< [d_model][out_rank] of a factored out_weight
  out_s,   ///< [out_rank]
  out_v,   ///< [out_rank][q_dim]
  out_d,   ///< [d_model]
  up_u,    ///< [up_dim][up_rank] of a factored up_weight
  up_s,    ///< [up_rank]
  up_v,    ///< [up_rank][d_model]
  up_d,    ///< [up_dim]
  down_u,  ///< [d_model][down_rank] of a factored down_weight
  down_s,  ///< [down_rank]
  down_v,  ///< [down_rank][d_ff]
  down_d,  ///< [d_model]
};

/// What a tensor is for, which decides how it starts and how it is trained.
enum class tensor_role : std::uint8_t {
  embedding,      ///< a table whose rows are looked up: their gradients are added row by row
  projection,     ///< the matrix of a product
  into_residual,  ///< a matrix whose product is added to the residual stream: starts smaller (GPT-2)
  gain,           ///< factors of a norm; start at 1
  bias,           ///< numbers that are added; start at 0
  router,         ///< a small matrix on which a choice depends: never rounded
};

/// Whether the model has one of it, or every layer.
enum class tensor_scope : std::uint8_t {
  model,  ///< there is one
  layer   ///< each layer has one
};

/// Matrices are stored in the weight format; gains, biases and routers stay in the numbers of arithmetic.
constexpr bool is_matrix(tensor_role role) { return role < tensor_role::gain; }
/// Matrices and routers decay.
constexpr bool decays(tensor_role role) { return is_matrix(role) || role == tensor_role::router; }

/// Of a tensor that is no stack.
constexpr std::size_t one_piece(const decoder_shape&) { return 1; }

/// What is declared of a tensor.
struct tensor_rule {
  const char* name;                           ///< in files and messages
  tensor_id id;                               ///< in code
  tensor_role role;                           ///< what it is for
  tensor_scope scope;                         ///< one of it, or one for each layer
  bool (*present)(const decoder_shape&);      ///< whether a model of this shape has it
  std::size_t (*rows)(const decoder_shape&);  ///< rows of one layer's
  std::size_t (*cols)(const decoder_shape&);  ///< numbers in a row

  /// Matrices of which the rows of one layer consist, one after the other: those of experts.
  std::size_t (*pieces)(const decoder_shape&) = one_piece;
};

namespace rule {

constexpr bool always(const decoder_shape&) { return true; }
constexpr bool biased(const decoder_shape& s) { return s.bias; }
constexpr bool biased_norm(const decoder_shape& s) { return s.bias && s.norm == norm_kind::layer; }
constexpr bool biased_qkv(const decoder_shape& s) { return s.bias || s.qkv_bias; }
constexpr bool normed_heads(const decoder_shape& s) { return s.qk_norm; }
constexpr bool normed_after(const decoder_shape& s) { return s.post_norms; }
constexpr bool learned_positions(const decoder_shape& s) { return s.position == position_kind::learned; }
constexpr bool own_head(const decoder_shape& s) { return !s.tie_embeddings; }
constexpr bool routed(const decoder_shape& s) { return s.experts > 0; }
/// Whether a projection is one matrix, or a product of thin ones; and their rank.
template <std::size_t decoder_shape::*its_rank>
constexpr bool whole(const decoder_shape& s) {
  return s.*its_rank == 0;
}
template <std::size_t decoder_shape::*its_rank>
constexpr bool factored(const decoder_shape& s) {
  return s.*its_rank > 0;
}
template <std::size_t decoder_shape::*its_rank>
constexpr std::size_t rank(const decoder_shape& s) {
  return s.*its_rank;
}

constexpr std::size_t one(const decoder_shape&) { return 1; }
constexpr std::size_t vocab(const decoder_shape& s) { return s.vocab; }
constexpr std::size_t context(const decoder_shape& s) { return s.context; }
constexpr std::size_t width(const decoder_shape& s) { return s.d_model; }
constexpr std::size_t head_dim(const decoder_shape& s) { return s.head_dim; }
constexpr std::size_t q_dim(const decoder_shape& s) { return s.q_dim(); }
constexpr std::size_t qkv_dim(const decoder_shape& s) { return s.qkv_dim(); }
constexpr std::size_t feed_forwards(const decoder_shape& s) { return s.feed_forwards(); }
constexpr std::size_t experts(const decoder_shape& s) { return s.experts; }
constexpr std::size_t up_dim(const decoder_shape& s) { return s.up_dim(); }
constexpr std::size_t all_up_dims(const decoder_shape& s) { return s.feed_forwards() * s.up_dim(); }
constexpr std::size_t all_widths(const decoder_shape& s) { return s.feed_forwards() * s.d_model; }
constexpr std::size_t d_ff(const decoder_shape& s) { return s.d_ff; }

}  // namespace rule

/// In the order in which they lie in memory, [rows][cols] each; those of the layers are stacked, [layers][rows][cols].
inline constexpr tensor_rule declared_tensors[] = {
    {"token_embedding", tensor_id::token_embedding, tensor_role::embedding, tensor_scope::model, rule::always,
     rule::vocab, rule::width},
    {"position_embedding", tensor_id::position_embedding, tensor_role::embedding, tensor_scope::model,
     rule::learned_positions, rule::context, rule::width},
    {"norm1.weight", tensor_id::norm1_weight, tensor_role::gain, tensor_scope::layer, rule::always, rule::one,
     rule::width},
    {"norm1.bias", tensor_id::norm1_bias, tensor_role::bias, tensor_scope::layer, rule::biased_norm, rule::one,
     rule::width},
    {"qkv.weight", tensor_id::qkv_weight, tensor_role::projection, tensor_scope::layer,
     rule::whole<&decoder_shape::qkv_rank>, rule::qkv_dim, rule::width},
    {"qkv.bias", tensor_id::qkv_bias, tensor_role::bias, tensor_scope::layer, rule::biased_qkv, rule::one,
     rule::qkv_dim},
    {"q_norm.weight", tensor_id::q_norm_weight, tensor_role::gain, tensor_scope::layer, rule::normed_heads, rule::one,
     rule::head_dim},
    {"k_norm.weight", tensor_id::k_norm_weight, tensor_role::gain, tensor_scope::layer, rule::normed_heads, rule::one,
     rule::head_dim},
    {"out.weight", tensor_id::out_weight, tensor_role::into_residual, tensor_scope::layer,
     rule::whole<&decoder_shape::out_rank>, rule::width, rule::q_dim},
    {"out.bias", tensor_id::out_bias, tensor_role::bias, tensor_scope::layer, rule::biased, rule::one, rule::width},
    {"after1.weight", tensor_id::after1_weight, tensor_role::gain, tensor_scope::layer, rule::normed_after, rule::one,
     rule::width},
    {"norm2.weight", tensor_id::norm2_weight, tensor_role::gain, tensor_scope::layer, rule::always, rule::one,
     rule::width},
    {"norm2.bias", tensor_id::norm2_bias, tensor_role::bias, tensor_scope::layer, rule::biased_norm, rule::one,
     rule::width},
    {"router.weight", tensor_id::router_weight, tensor_role::router, tensor_scope::layer, rule::routed, rule::experts,
     rule::width},
    {"up.weight", tensor_id::up_weight, tensor_role::projection, tensor_scope::layer,
     rule::whole<&decoder_shape::up_rank>, rule::all_up_dims, rule::width, rule::feed_forwards},
    {"up.bias", tensor_id::up_bias, tensor_role::bias, tensor_scope::layer, rule::biased, rule::one, rule::up_dim},
    {"down.weight", tensor_id::down_weight, tensor_role::into_residual, tensor_scope::layer,
     rule::whole<&decoder_shape::down_rank>, rule::all_widths, rule::d_ff, rule::feed_forwards},
    {"down.bias", tensor_id::down_bias, tensor_role::bias, tensor_scope::layer, rule::biased, rule::one, rule::width},
    {"after2.weight", tensor_id::after2_weight, tensor_role::gain, tensor_scope::layer, rule::normed_after, rule::one,
     rule::width},
    {"norm.weight", tensor_id::norm_weight, tensor_role::gain, tensor_scope::model, rule::always, rule::one,
     rule::width},
    {"norm.bias", tensor_id::norm_bias, tensor_role::bias, tensor_scope::model, rule::biased_norm, rule::one,
     rule::width},
    {"head.weight", tensor_id::head_weight, tensor_role::projection, tensor_scope::model, rule::own_head, rule::vocab,
     rule::width},
    {"qkv.u", tensor_id::qkv_u, tensor_role::projection, tensor_scope::layer, rule::factored<&decoder_shape::qkv_rank>,
     rule::qkv_dim, rule::rank<&decoder_shape::qkv_rank>},
    {"qkv.s", tensor_id::qkv_s, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::qkv_rank>,
     rule::one, rule::rank<&decoder_shape::qkv_rank>},
    {"qkv.v", tensor_id::qkv_v, tensor_role::projection, tensor_scope::layer, rule::factored<&decoder_shape::qkv_rank>,
     rule::rank<&decoder_shape::qkv_rank>, rule::width},
    {"qkv.d", tensor_id::qkv_d, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::qkv_rank>,
     rule::one, rule::qkv_dim},
    {"out.u", tensor_id::out_u, tensor_role::into_residual, tensor_scope::layer,
     rule::factored<&decoder_shape::out_rank>, rule::width, rule::rank<&decoder_shape::out_rank>},
    {"out.s", tensor_id::out_s, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::out_rank>,
     rule::one, rule::rank<&decoder_shape::out_rank>},
    {"out.v", tensor_id::out_v, tensor_role::into_residual, tensor_scope::layer,
     rule::factored<&decoder_shape::out_rank>, rule::rank<&decoder_shape::out_rank>, rule::q_dim},
    {"out.d", tensor_id::out_d, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::out_rank>,
     rule::one, rule::width},
    {"up.u", tensor_id::up_u, tensor_role::projection, tensor_scope::layer, rule::factored<&decoder_shape::up_rank>,
     rule::up_dim, rule::rank<&decoder_shape::up_rank>},
    {"up.s", tensor_id::up_s, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::up_rank>,
     rule::one, rule::rank<&decoder_shape::up_rank>},
    {"up.v", tensor_id::up_v, tensor_role::projection, tensor_scope::layer, rule::factored<&decoder_shape::up_rank>,
     rule::rank<&decoder_shape::up_rank>, rule::width},
    {"up.d", tensor_id::up_d, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::up_rank>,
     rule::one, rule::up_dim},
    {"down.u", tensor_id::down_u, tensor_role::into_residual, tensor_scope::layer,
     rule::factored<&decoder_shape::down_rank>, rule::width, rule::rank<&decoder_shape::down_rank>},
    {"down.s", tensor_id::down_s, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::down_rank>,
     rule::one, rule::rank<&decoder_shape::down_rank>},
    {"down.v", tensor_id::down_v, tensor_role::into_residual, tensor_scope::layer,
     rule::factored<&decoder_shape::down_rank>, rule::rank<&decoder_shape::down_rank>, rule::d_ff},
    {"down.d", tensor_id::down_d, tensor_role::gain, tensor_scope::layer, rule::factored<&decoder_shape::down_rank>,
     rule::one, rule::width},
};
/// How many tensors are declared, of which a model has some.
inline constexpr std::size_t tensor_count = sizeof declared_tensors / sizeof declared_tensors[0];

/// How many of them are no factors: those come first, and a model without factored projections has no others.
inline constexpr std::size_t whole_tensor_count = static_cast<std::size_t>(tensor_id::qkv_u);
/// Among how many of the declared tensors those of a model of this shape are.
constexpr std::size_t tensor_count_of(const decoder_shape& s) {
  return s.is_factored() ? tensor_count : whole_tensor_count;
}

/// The rule of a tensor.
constexpr const tensor_rule& rule_of(tensor_id id) { return declared_tensors[static_cast<std::size_t>(id)]; }

static_assert(
    [] {
      for (std::size_t i = 0; i < tensor_count; ++i)
        if (declared_tensors[i].id != static_cast<tensor_id>(i)) return false;
      return true;
    }(),
    "ctlm: declared_tensors lists tensors in the order of tensor_id");

/// The projections that factored<> may name, in the order of their factors.
inline constexpr tensor_id factorable_tensors[] = {tensor_id::qkv_weight, tensor_id::out_weight, tensor_id::up_weight,
                                                   tensor_id::down_weight};
/// The field of a shape that holds the rank of each.
inline constexpr std::size_t decoder_shape::*factor_ranks[] = {&decoder_shape::qkv_rank, &decoder_shape::out_rank,
                                                               &decoder_shape::up_rank, &decoder_shape::down_rank};
/// How many they are.
inline constexpr std::size_t factorable_count = sizeof factorable_tensors / sizeof factorable_tensors[0];
/// The place of a projection among them; factorable_count if it is none of them.
constexpr std::size_t factorable_index(tensor_id id) {
  std::size_t i = 0;
  while (i < factorable_count && factorable_tensors[i] != id) ++i;
  return i;
}

/// The tensors that stand for a factored projection.
struct factor_ids {
  tensor_id u, s, v, d;  ///< y = d o (((x V^T) o s) U^T)
};
/// Those of a projection of factorable_tensors.
constexpr factor_ids factors_of(tensor_id id) {
  const std::size_t first = whole_tensor_count + 4 * factorable_index(id);
  return {static_cast<tensor_id>(first), static_cast<tensor_id>(first + 1), static_cast<tensor_id>(first + 2),
          static_cast<tensor_id>(first + 3)};
}
/// The projection that tensor number `tensor` is a factor of; the tensor itself if it is none.
constexpr tensor_id projection_of(std::size_t tensor) {
  return tensor < whole_tensor_count ? static_cast<tensor_id>(tensor)
                                     : factorable_tensors[(tensor - whole_tensor_count) / 4];
}
/// The rank of a tensor's thin matrices, of a factored projection or of one of its factors; 0 of all others.
constexpr std::size_t rank_of(const decoder_shape& s, tensor_id id) {
  const std::size_t i = factorable_index(projection_of(static_cast<std::size_t>(id)));
  return i < factorable_count ? s.*factor_ranks[i] : 0;
}
/// The highest rank in a model of this shape; 0 without any.
constexpr std::size_t most_rank(const decoder_shape& s) {
  std::size_t most = 0;
  for (const tensor_id id : factorable_tensors) most = larger(most, rank_of(s, id));
  return most;
}
/// The longest row that a factored projection of this shape writes; 0 without any.
constexpr std::size_t most_factored_rows(const decoder_shape& s) {
  std::size_t most = 0;
  for (const tensor_id id : factorable_tensors)
    if (rank_of(s, id) > 0) most = larger(most, rule_of(id).rows(s));
  return most;
}

}}  // namespace ctlm
