// MambaRT from C++11: owners for what mambart.h makes, errors as exceptions. Threads, ownership of memory and what each call does: mambart.h.
#ifndef MAMBART_HPP
#define MAMBART_HPP

#include "mambart.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mambart {

/// A failed call: its code (MRT_ERROR_...) and its sentence.
class error : public std::runtime_error {
public:
    explicit error(mrt_status code) : std::runtime_error(mrt_last_error()), code_(code) {}
    mrt_status code() const noexcept { return code_; }

private:
    mrt_status code_;
};

inline void check(mrt_status code)
{
    if (code != MRT_OK) throw error(code);
}

namespace detail {

/// Owns a handle; moves, and does not copy.
template <mrt_status (*Close)(std::uint64_t)>
class handle {
public:
    handle() noexcept : value_(0) {}
    explicit handle(std::uint64_t value) noexcept : value_(value) {}
    handle(handle &&other) noexcept : value_(other.value_) { other.value_ = 0; }
    handle &operator=(handle &&other) noexcept { std::swap(value_, other.value_); return *this; }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    ~handle() { if (value_) Close(value_); }
    std::uint64_t get() const noexcept { return value_; }

private:
    std::uint64_t value_;
};

/// Calls what fills a buffer until the buffer is large enough.
template <typename Call>
std::string text(Call call)
{
    std::string result(64, '\0');
    size_t length = 0;
    mrt_status code;
    while ((code = call(&result[0], result.size(), &length)) == MRT_ERROR_BUFFER) result.resize(length);
    check(code);
    result.resize(length);
    return result;
}

/// Counts and times.
inline mrt_text_stats stats(mrt_status (*of)(std::uint64_t, mrt_text_stats *), std::uint64_t handle)
{
    mrt_text_stats result = mrt_text_stats();
    result.size = sizeof result;
    check(of(handle, &result));
    return result;
}

/// Gives pieces to a function; an exception of it ends the text and goes on to the caller, behind the library.
struct reader {
    const std::function<bool(const std::string &)> &take;
    std::exception_ptr thrown;

    static std::int32_t piece(void *user, const char *text, size_t bytes) noexcept
    {
        reader *self = static_cast<reader *>(user);
        try { return self->take(std::string(text, bytes)) ? 0 : 1; }
        catch (...) { self->thrown = std::current_exception(); return 1; }
    }
};

} // namespace detail

/// How a model is opened; defaults as mrt_model_options_init sets them.
struct model_options : mrt_model_options {
    model_options() { check(mrt_model_options_init(this, sizeof(mrt_model_options))); }
};

/// How tokens are picked.
struct sampler_options : mrt_sampler_options {
    sampler_options() { check(mrt_sampler_options_init(this, sizeof(mrt_sampler_options), 0)); }
};

/// How far a text goes.
struct text_options : mrt_text_options {
    text_options() { check(mrt_text_options_init(this, sizeof(mrt_text_options))); }
};

class sampler {
public:
    explicit sampler(const sampler_options &options = sampler_options())
    {
        mrt_sampler made;
        check(mrt_sampler_create(&options, &made));
        handle_ = detail::handle<mrt_sampler_close>(made);
    }
    mrt_sampler get() const noexcept { return handle_.get(); }
    void reset() { check(mrt_sampler_reset(get())); }

private:
    detail::handle<mrt_sampler_close> handle_;
};

class session {
public:
    explicit session(mrt_session taken) noexcept : handle_(taken) {}
    mrt_session get() const noexcept { return handle_.get(); }

    /// Logits after the last token, valid until this session is fed again.
    const float *feed(const std::vector<std::int32_t> &tokens)
    {
        const float *logits;
        check(mrt_session_feed(get(), tokens.data(), tokens.size(), &logits));
        return logits;
    }
    std::int32_t sample(const sampler &by)
    {
        std::int32_t token;
        check(mrt_session_sample(get(), by.get(), &token));
        return token;
    }
    session fork() const
    {
        mrt_session made;
        check(mrt_session_fork(get(), &made));
        return session(made);
    }
    void rewind(const session &past) { check(mrt_session_rewind(get(), past.get())); }
    void reset() { check(mrt_session_reset(get())); }
    void cancel() { check(mrt_session_cancel(get())); }
    std::int64_t position() const
    {
        std::int64_t position;
        check(mrt_session_position(get(), &position));
        return position;
    }
    std::vector<unsigned char> save() const
    {
        size_t bytes;
        check(mrt_session_save_size(get(), &bytes));
        std::vector<unsigned char> state(bytes);
        check(mrt_session_save(get(), state.data(), state.size(), &bytes));
        return state;
    }
    void restore(const std::vector<unsigned char> &state) { check(mrt_session_restore(get(), state.data(), state.size())); }

    /// Begins to feed in slices of time; step says in `more` whether there is anything left.
    void begin(const std::vector<std::int32_t> &tokens) { check(mrt_session_begin(get(), tokens.data(), tokens.size())); }
    /// Begins to feed and to generate so; the sampler must outlive that.
    void generate(const std::vector<std::int32_t> &tokens, const sampler &by, std::int32_t max_tokens)
    {
        check(mrt_session_generate(get(), tokens.data(), tokens.size(), by.get(), max_tokens));
    }
    mrt_progress step(std::int64_t budget_us)
    {
        mrt_progress progress = mrt_progress();
        progress.size = sizeof progress;
        check(mrt_session_step(get(), budget_us, &progress));
        return progress;
    }
    std::vector<std::int32_t> generated(std::int32_t from = 0) const
    {
        std::vector<std::int32_t> tokens(64);
        size_t count;
        mrt_status code;
        while ((code = mrt_session_generated(get(), from, tokens.data(), tokens.size(), &count)) == MRT_ERROR_BUFFER) tokens.resize(count);
        check(code);
        tokens.resize(count);
        return tokens;
    }

private:
    detail::handle<mrt_session_close> handle_;
};

class chat {
public:
    explicit chat(mrt_chat taken) noexcept : handle_(taken) {}
    mrt_chat get() const noexcept { return handle_.get(); }

    /// Says something; take is given each piece of the answer and returns whether it shall go on.
    void say(const std::string &said, const std::function<bool(const std::string &)> &take)
    {
        detail::reader reader{take, nullptr};
        mrt_status code = mrt_chat_say(get(), said.data(), said.size(), detail::reader::piece, &reader);
        if (reader.thrown) std::rethrow_exception(reader.thrown);
        check(code);
    }
    bool undo()
    {
        std::int32_t undone;
        check(mrt_chat_undo(get(), &undone));
        return undone != 0;
    }
    chat fork() const
    {
        mrt_chat made;
        check(mrt_chat_fork(get(), &made));
        return chat(made);
    }
    void reset() { check(mrt_chat_reset(get())); }
    void cancel() { check(mrt_chat_cancel(get())); }
    mrt_text_stats stats() const { return detail::stats(mrt_chat_stats, get()); }
    void save(const std::string &path) { check(mrt_chat_save(get(), path.c_str())); }
    void load(const std::string &path) { check(mrt_chat_load(get(), path.c_str())); }

private:
    detail::handle<mrt_chat_close> handle_;
};

/// An answer that a host computes; ended when this goes.
class request {
public:
    explicit request(mrt_request taken) noexcept : handle_(taken) {}
    mrt_request get() const noexcept { return handle_.get(); }

    /// Text that was computed since; false when nothing more will come.
    bool read(std::string &text)
    {
        std::int32_t ended = 0;
        text = detail::text([this, &ended](char *t, size_t n, size_t *l) { return mrt_request_read(get(), t, n, l, &ended); });
        return ended == 0;
    }
    void cancel() { check(mrt_request_cancel(get())); }
    mrt_text_stats stats() const { return detail::stats(mrt_request_stats, get()); }

private:
    detail::handle<mrt_request_close> handle_;
};

/// How many answers a host computes.
struct host_options : mrt_host_options {
    host_options() { check(mrt_host_options_init(this, sizeof(mrt_host_options))); }
};

/// Many answers at once.
class host {
public:
    explicit host(mrt_host taken) noexcept : handle_(taken) {}
    mrt_host get() const noexcept { return handle_.get(); }
    request submit(const std::vector<std::int32_t> &tokens, const sampler &by, const text_options &options = text_options())
    {
        mrt_request made;
        check(mrt_host_submit(get(), tokens.data(), tokens.size(), by.get(), &options, nullptr, nullptr, &made));
        return request(made);
    }
    mrt_progress step(std::int64_t budget_us)
    {
        mrt_progress progress = mrt_progress();
        progress.size = sizeof progress;
        check(mrt_host_step(get(), budget_us, &progress));
        return progress;
    }

private:
    detail::handle<mrt_host_close> handle_;
};

/// What a model will take with so many sessions.
inline mrt_memory estimate(const std::string &path, std::int32_t sessions, const model_options &options = model_options())
{
    mrt_memory memory = mrt_memory();
    memory.size = sizeof memory;
    check(mrt_estimate(path.c_str(), &options, sessions, &memory));
    return memory;
}

class model {
public:
    explicit model(const std::string &path, const model_options &options = model_options())
    {
        mrt_model made;
        check(mrt_model_open(path.c_str(), &options, &made));
        handle_ = detail::handle<mrt_model_close>(made);
    }
    mrt_model get() const noexcept { return handle_.get(); }
    std::string name() const { return detail::text([this](char *t, size_t n, size_t *l) { return mrt_model_name(get(), t, n, l); }); }
    std::string backend() const { return detail::text([this](char *t, size_t n, size_t *l) { return mrt_model_backend(get(), t, n, l); }); }
    std::vector<std::int32_t> encode(const std::string &text, std::uint32_t flags = 0) const
    {
        std::vector<std::int32_t> tokens(text.size() + 1);
        size_t count;
        mrt_status code;
        while ((code = mrt_encode(get(), text.data(), text.size(), flags, tokens.data(), tokens.size(), &count)) == MRT_ERROR_BUFFER) tokens.resize(count);
        check(code);
        tokens.resize(count);
        return tokens;
    }
    std::string decode(std::int32_t token, bool special = false) const
    {
        return detail::text([=](char *t, size_t n, size_t *l) { return mrt_decode(get(), token, special, t, n, l); });
    }
    session start() const
    {
        mrt_session made;
        check(mrt_session_start(get(), &made));
        return session(made);
    }
    mambart::host serve(const host_options &options = host_options()) const
    {
        mrt_host made;
        check(mrt_host_create(get(), &options, &made));
        return mambart::host(made);
    }
    chat talk(const sampler &by, const char *system = nullptr, const text_options &options = text_options(), const char *tmpl = nullptr) const
    {
        mrt_chat made;
        check(mrt_chat_create(get(), by.get(), tmpl, system, &options, &made));
        return chat(made);
    }

private:
    detail::handle<mrt_model_close> handle_;
};

} // namespace mambart
#endif
