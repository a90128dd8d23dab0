using MambaRT;
using MambaRT.Backends.Cpu;
using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;

public static class ChatClientSample
{
    public static async Task Talk(string path, TextWriter output)
    {
        using var backend = new CpuBackend();
        using Model model = Model.Open(path, backend);
        using var host = new ModelHost(model);
        IChatClient client = host.AsChatClient();
        var options = new ChatOptions { ConversationId = "evening", Temperature = 0, MaxOutputTokens = 100 };
        output.WriteLine(await client.GetResponseAsync("What is gravity?", options));
        output.WriteLine(await client.GetResponseAsync("What about a trombone?", options));
    }
}
