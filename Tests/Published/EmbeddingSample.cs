using MambaRT;
using MambaRT.Backends.Cpu;
using MambaRT.Chat;

public static class EmbeddingSample
{
    public static Task Main(string[] args) => Tell(args[0], Console.Out);

    public static async Task Tell(string path, TextWriter output)
    {
        using var backend = new CpuBackend();
        using Model model = Model.Open(path, backend);
        SamplerChain sampler = SamplingOptions.FromMetadata(model.Metadata).Build();
        using var chat = new ChatSession(model.StartSession(), ChatTemplates.For(model), sampler);
        await foreach (string piece in chat.Say("Write a story about watermelons"))
            output.Write(piece);
    }
}
