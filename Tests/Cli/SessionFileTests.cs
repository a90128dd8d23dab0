using MambaRT.Bench;
using MambaRT.Cli;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What chat saves its conversations in: files of its own kind, one chat a file.</summary>
public sealed class SessionFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Save_OverAFileOfAnotherKind_IsRefusedAndKept()
    {
        ModelMaker.Write(new Mamba().Shape("small", 256, 2, vocabulary: 320), "F32", _folder["m.gguf"]);
        File.WriteAllText(_folder["t.txt"], "Mine.");
        byte[] model = File.ReadAllBytes(_folder["m.gguf"]);

        CommandLine chat = CommandLine.Run(["chat", "-n", "2", "--commands"], $"/save {_folder["m.gguf"]}\n/save {_folder["t.txt"]}\n/save {_folder["."]}\n/save {_folder["new"]}\n/save {_folder["new"]}\n");
        CommandLine session = CommandLine.Run(["chat", "-n", "2", "--session", _folder["t.txt"]], "Hello\n");

        Assert.Equal(2, chat.ErrorLines.Count(line => line.Contains("not a saved state", StringComparison.Ordinal)));
        Assert.Equal(2, chat.ErrorLines.Count(line => line.StartsWith("Saved", StringComparison.Ordinal)));
        Assert.Contains("not a saved state", session.Error, StringComparison.Ordinal);
        Assert.Equal(model, File.ReadAllBytes(_folder["m.gguf"]));
        Assert.Equal("Mine.", File.ReadAllText(_folder["t.txt"]));
        _ = StateSnapshot.ReadFile(_folder["new"]);
    }

    [Fact]
    public void Load_OfWhatIsNoFile_SaysWhatItIs()
    {
        List<(string Name, string Said)> places = [(_folder["nope"], "There is no file"), (_folder["."], "is a folder")];
        if (OperatingSystem.IsLinux()) places.AddRange([("/dev/zero", "is a device"), ("/dev/null", "is a device")]);
        CommandLine chat = CommandLine.Run(["chat", "-n", "2", "--commands"], string.Concat(places.Select(place => $"/load {place.Name}\n")));
        foreach ((string name, string said) in places)
            Assert.Contains("save", Assert.Single(chat.ErrorLines, line => line.Contains($"'{name}'", StringComparison.Ordinal) && line.Contains(said, StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Session_ThatAnotherChatHas_IsRefused()
    {
        using (SessionFile.Take(_folder["s.chat"]))
        {
            CommandLine second = CommandLine.Run(["chat", "-n", "2", "--session", _folder["s.chat"]], "Hello\n");
            Assert.Equal((1, ""), (second.Code, second.Output));
            Assert.Contains("in use by another chat", Assert.Single(second.ErrorLines), StringComparison.Ordinal);
            Assert.Contains("in use by another chat", CommandLine.Run(["chat", "--commands"], $"/save {_folder["s.chat"]}\n").Error, StringComparison.Ordinal);
        }
        Assert.Contains("Saved", CommandLine.Run(["chat", "--commands", "--session", _folder["s.chat"]], $"/save {_folder["s.chat"]}\n").Error, StringComparison.Ordinal);
    }
}
