// The C++ owners: cxx MODEL.gguf
#include "mambart.hpp"

#include <cstdio>
#include <string>
#include <utility>

static int failed;

static void expect(bool holds, const char *what)
{
    if (holds) return;
    failed++;
    std::printf("FAILED: %s\n", what);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    try { mambart::model none("/no/such/file.gguf"); expect(false, "a missing file is an error"); }
    catch (const mambart::error &e) { expect(e.code() == MRT_ERROR_IO && std::string(e.what()).size() > 10, "the code of a missing file"); }

    mambart::model model(argv[1]);
    expect(!model.name().empty() && !model.backend().empty(), "name and backend");
    mambart::sampler_options options;
    options.temperature = 0;
    mambart::sampler sampler(options);
    std::vector<std::int32_t> prompt = model.encode("Once upon a time", MRT_TOKENS_BEGINNING);
    mambart::session a = model.start();
    expect(a.feed(prompt) != nullptr, "logits");
    std::int32_t token = a.sample(sampler);
    mambart::session b = a.fork();
    a.feed({token});
    a.rewind(b);
    expect(a.sample(sampler) == token && a.position() == static_cast<std::int64_t>(prompt.size()), "back at the fork");
    mambart::session moved = std::move(a);
    moved.reset();
    moved.restore(b.save());
    expect(moved.position() == b.position() && !model.decode(token).empty(), "a saved state");
    moved.begin({token});
    while (moved.step(500).more) {}
    moved.generate({token}, sampler, 5);
    while (moved.step(500).more) {}
    expect(moved.generated().size() == 5, "tokens generated in slices of time");
    expect(mambart::estimate(argv[1], 3).total_bytes > 0, "the memory of three sessions");
    {
        mambart::host_options manual;
        manual.manual = 1;
        mambart::host host = model.serve(manual);
        mambart::text_options eight;
        eight.max_tokens = 8;
        mambart::request asked = host.submit(prompt, sampler, eight);
        std::string told, piece;
        for (bool more = true; more; told += piece) {
            host.step(1000);
            more = asked.read(piece);
        }
        expect(!told.empty() && asked.stats().generated_tokens == 8 && asked.stats().prompt_tokens == static_cast<int>(prompt.size()), "an answer of a host");
    }

    mambart::text_options few;
    few.max_tokens = 12;
    mambart::chat chat = model.talk(sampler, "You tell stories.", few);
    std::string answer;
    chat.say("Hello!", [&](const std::string &piece) { answer += piece; return true; });
    expect(!answer.empty() && chat.stats().generated_tokens > 0 && chat.undo(), "an answer");
    try { chat.say("Hello!", [](const std::string &) -> bool { throw std::runtime_error("enough"); }); expect(false, "an exception of the reader"); }
    catch (const std::runtime_error &e) { expect(std::string(e.what()) == "enough", "the reader's own exception"); }
    std::printf("%d failed\n", failed);
    return failed;
}
