// A run with one of the models: a trainer, and sessions of what it has learned in three formats.
#pragma once

#include "decoding.hpp"
#include "text.hpp"

namespace browser {

template <class Size>
class learner final : public run {
  struct recipe {
    static constexpr ctlm::train_config config{.batch = Size::batch};
  };
  using lm = ctlm::causal_lm<Size, on_any_machine, one_by_one>;
  using lm_int8 = ctlm::causal_lm<Size, ctlm::weights<ctlm::int8<32>>, on_any_machine, one_by_one>;
  using lm_int4 = ctlm::causal_lm<Size, ctlm::weights<ctlm::int4<32>>, on_any_machine, one_by_one>;
  using trainer = ctlm::trainer<lm, recipe, ctlm::optimizer<ctlm::adamw>, ctlm::schedule<ctlm::warmup_cosine>>;

  static constexpr std::size_t step_tokens = trainer::step_tokens, sequence = trainer::sequence;
  static constexpr std::size_t windows = 4 * trainer::batch;  // of validation
  /// What the sessions share: one is there at a time, with the weights of its format.
  static constexpr std::size_t play_bytes = ctlm::larger(
      lm::session_bytes,
      ctlm::larger(lm_int8::weight_bytes + lm_int8::session_bytes, lm_int4::weight_bytes + lm_int4::session_bytes));
  /// Five sections: weights, two moments, the step, and what is the page's own.
  static constexpr std::size_t checkpoint_bytes =
      32 + 5 * 48 + lm::weight_bytes + trainer::state_bytes + 8 + sizeof(run_state) + 8;

 public:
  static constexpr figures sizes{
      .parameters = lm::parameters,
      .layers = lm::shape.layers,
      .d_model = lm::shape.d_model,
      .heads = lm::shape.heads,
      .context = lm::shape.context,
      .batch = trainer::batch,
      .image_bytes = {sizeof(ctlm::image_header) + lm::weight_bytes, sizeof(ctlm::image_header) + lm_int8::weight_bytes,
                      sizeof(ctlm::image_header) + lm_int4::weight_bytes},
      .session_bytes = {lm::session_bytes, lm_int8::session_bytes, lm_int4::session_bytes},
      .train_bytes = trainer::train_bytes,
      .run_bytes = trainer::train_bytes + play_bytes,
      .checkpoint_bytes = checkpoint_bytes};

  static constexpr std::uint64_t fingerprint() { return ctlm::weights_fingerprint<lm>(); }

  /// The arena has sizes.run_bytes, and the text at least least_text bytes.
  template <ctlm::arena A>
  learner(A& memory, text from, const settings& s)
      : text_(from),
        trainer_(memory, options(s)),
        play_({memory.template allocate<std::byte>(play_bytes), play_bytes}) {
    state_.seed = s.seed;
    state_.steps = s.steps;
    state_.text = text_.checksum();
    state_.text_bytes = text_.size();
    state_.lr = s.lr;
    state_.dropout = s.dropout;
  }

  const run_state& state() const override { return state_; }
  std::size_t steps() const override { return trainer_.steps(); }

  ctlm::step_result step() override {
    text_.draw<sequence>(state_.seed, state_.drawn, inputs_, targets_);
    const ctlm::step_result r = trainer_.step(inputs_, targets_);
    const std::size_t stride = ctlm::ceil_div(static_cast<std::size_t>(state_.steps), most_points);
    if (r.step % stride == 0) note(state_.training, state_.points, r.step, r.loss);
    return r;
  }

  double validate() override {
    double total = 0;
    for (std::size_t i = 0; i < windows; i += trainer::batch) {
      for (std::size_t j = 0; j < trainer::batch; ++j) {
        const std::size_t at = j * sequence;
        text_.validation_window(i + j, windows, {inputs_ + at, sequence}, {targets_ + at, sequence});
      }
      total += trainer_.evaluate(inputs_, targets_);
    }
    const double mean = total / (windows / trainer::batch);
    note(state_.validation, state_.validations, trainer_.steps(), static_cast<float>(mean));
    return mean;
  }

  double loss(format f) override {
    double total = 0;
    with_session(f, [&](const any_session& session) {
      for (std::size_t i = 0; i < windows; ++i) {
        text_.validation_window(i, windows, {inputs_, sequence}, {targets_, sequence});
        total += total_loss(session, {inputs_, sequence}, {targets_, sequence});
      }
    });
    return total / (windows * sequence);
  }
  double pace(format f, clock now) override {
    double time = 0;
    with_session(f, [&](const any_session& session) { time = time_of_context(session, now); });
    return time;
  }
  void complete(format f, ctlm::span<const char> prompt, const page_sampler& how, std::size_t count,
                take_token take) override {
    constexpr std::size_t room = lm::shape.context / 2;  // of a long prompt, the end counts
    if (prompt.size() > room) prompt = prompt.subspan(prompt.size() - room);
    inputs_[0] = token_of('\n');  // what an empty one begins with
    for (std::size_t i = 0; i < prompt.size(); ++i) inputs_[i] = token_of(prompt[i]);
    with_session(f, [&](const any_session& session) {
      continue_text(session, {inputs_, ctlm::larger(1, prompt.size())}, how, count, take);
    });
  }

  void save_image(format f, take_bytes put) override {
    if (f == format::f32) return put_image<lm>(trainer_.weights(), put);
    const auto before = play_.mark();
    if (f == format::int8) put_image<lm_int8>(quantised<lm_int8>(), put);
    if (f == format::int4) put_image<lm_int4>(quantised<lm_int4>(), put);
    play_.rewind(before);
  }
  ctlm::result<void> save_checkpoint(take_bytes put) override {
    const ctlm::checkpoint_section mine[] = {{"run", &state_, sizeof state_}};
    return ctlm::put_checkpoint(trainer_, mine, put);
  }

  ctlm::result<void> load_image(ctlm::span<const std::byte> bytes) override {
    if (const auto r = ctlm::check_image<lm>(bytes); !r) return r;
    trainer_.start_from([&](const typename lm::weights& weights) {
      __builtin_memcpy(weights.bytes().data(), bytes.data() + sizeof(ctlm::image_header), lm::weight_bytes);
    });
    return {};
  }
  ctlm::result<void> load_checkpoint(ctlm::span<const std::byte> bytes) override {
    run_state saved;
    const ctlm::checkpoint_section mine[] = {{"run", &saved, sizeof saved}};
    if (const auto r = ctlm::take_checkpoint(bytes, trainer_, mine); !r) return r;
    if (saved.text != state_.text || saved.text_bytes != state_.text_bytes) {
      trainer_.set_usable(false);
      return ctlm::failure{
          ctlm::errc::wrong_model,
          "this checkpoint was trained on another text, of {needed} bytes, and here are {had}: put that "
          "text in first",
          0, static_cast<std::size_t>(saved.text_bytes), static_cast<std::size_t>(state_.text_bytes)};
    }
    state_ = saved;
    return {};
  }

 private:
  static typename trainer::options options(const settings& s) {
    return {.seed = s.seed,
            .optimizer = {.lr = s.lr, .beta1 = 0.9f, .beta2 = 0.95f, .weight_decay = 0.1f},
            .schedule = {.warmup = ctlm::smaller(s.steps / 10, 100), .total = s.steps, .min_lr = s.lr / 10},
            .clip_norm = 1.0f,
            .dropout = s.dropout};
  }
  static void note(point* curve, std::uint64_t& count, std::size_t step, float loss) {
    if (count < most_points) curve[count++] = {static_cast<std::uint32_t>(step), loss};
  }

  template <class M>
  typename M::const_weights quantised() {
    typename M::weights weights(play_);
    ctlm::quantise(trainer_.weights(), weights);
    return weights;
  }
  using call_user = void (*)(void* user, const any_session& session);

  /// Lays a session of this format out, for use(session). One piece of code, whatever `use` is.
  template <class Use>
  void with_session(format f, Use use) {
    lay_out(f, &use, [](void* user, const any_session& session) { (*static_cast<Use*>(user))(session); });
  }
  CTLM_NOINLINE void lay_out(format f, void* user, call_user call) {
    const auto before = play_.mark();
    if (f == format::f32) lay_out<lm>(trainer_.weights(), user, call);
    if (f == format::int8) lay_out<lm_int8>(quantised<lm_int8>(), user, call);
    if (f == format::int4) lay_out<lm_int4>(quantised<lm_int4>(), user, call);
    play_.rewind(before);
  }
  template <class M>
  void lay_out(const typename M::const_weights& weights, void* user, call_user call) {
    typename M::session session(weights, play_);
    call(user, any_session::of(session));
  }
  template <class M>
  static void put_image(const typename M::const_weights& weights, take_bytes put) {
    const ctlm::image_header header = ctlm::image_header_of<M>(weights);
    put(&header, sizeof header);
    put(weights.bytes().data(), weights.bytes().size());
  }

  text text_;
  trainer trainer_;
  ctlm::span_arena play_;
  run_state state_{};
  ctlm::token inputs_[step_tokens] = {}, targets_[step_tokens] = {};
};

}  // namespace browser
