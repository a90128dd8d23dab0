using MambaRT;
using MambaRT.Backends.Auto;
using MambaRT.Chat;

using var backend = BackendSelector.Create();
using Model model = Model.Open(args[0], backend);
SamplerChain sampler = SamplingOptions.FromMetadata(model.Metadata).Build();
using var chat = new ChatSession(model.StartSession(), ChatTemplates.For(model), sampler);
await foreach (string piece in chat.Say("Write a story about watermelons"))
    Console.Write(piece);
