using System;
using System.Collections.Generic;
using MambaRT.Interop;

internal static class Program
{
    private static int _failed;

    private static int Main(string[] arguments)
    {
        try
        {
            MambaModel.Open("/no/such/file.gguf").Dispose();
            Expect(false, "a missing file is an error");
        }
        catch (MambaException e)
        {
            Expect(e.Code == 5 && e.Message.Length > 10, "the code of a missing file");
        }
        using (MambaModel model = MambaModel.Open(arguments[0], "cpu", threads: 2, stateFolder: arguments[1]))
        using (var sampler = new MambaSampler(new MambaSampling { Temperature = 0 }))
        using (MambaSession session = model.Start())
        {
            Expect(model.Name.Length > 0 && model.Backend == "cpu", "name and backend");
            int[] prompt = model.Encode("Once upon a time", beginning: true);
            session.Feed(prompt);
            int token = session.Sample(sampler);
            byte[] state = session.Save();
            using (MambaSession fork = session.Fork())
            {
                session.Feed(token);
                session.Rewind(fork);
                Expect(session.Position == prompt.Length && session.Sample(sampler) == token && model.Decode(token).Length > 0, "back at the fork");
            }
            session.Reset();
            session.Restore(state);
            session.Begin(token);
            while (session.Step(500).HasMore) { }
            Expect(session.Position == prompt.Length + 1, "fed in slices");
            session.Generate(sampler, 5, token);
            while (session.Step(500).HasMore) { }
            Expect(session.Generated().Length == 5, "generated in slices");
            using (MambaHost host = model.Serve())
            using (MambaRequest request = host.Submit(sampler, 8, prompt))
            {
                string told = "";
                for (string piece = request.Read(); piece != null; piece = request.Read())
                {
                    told += piece;
                    host.Step(1000);
                }
                Expect(told.Length > 0, "an answer of a host");
                using (MambaRequest longer = host.Submit(sampler, 0, new List<int>(prompt) { token }.ToArray()))
                {
                    while (longer.Read() != null) host.Step(1000);
                    MambaStats stats = longer.Stats;
                    Expect(request.Stats.GeneratedTokens == 8 && stats.Stop == 3 && stats.PromptTokens + stats.CachedTokens == prompt.Length + 1, "counts of an answer");
                }
            }
            using (MambaChat chat = model.Chat(sampler, "You tell stories.", maxTokens: 12))
            {
                chat.Say("Hello!");
                string answer = "";
                for (string piece = chat.Next(); piece != null; piece = chat.Next()) answer += piece;
                Expect(answer.Length > 0 && chat.Stats.GeneratedTokens > 0 && chat.Undo() && !chat.Undo(), "an answer");
            }
        }
        Console.WriteLine(_failed + " failed");
        return _failed;
    }

    private static void Expect(bool holds, string what)
    {
        if (holds) return;
        _failed++;
        Console.WriteLine("FAILED: " + what);
    }
}
