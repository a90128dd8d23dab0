using System.IO.Pipes;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Where texts come from, and how much of them.</summary>
public sealed class TextInputTests
{
    [Fact]
    public void File_ThatIsNone_IsRefusedInASentence()
    {
        using var folder = new TemporaryFolder();
        foreach ((string path, string said) in ((string, string)[])[(folder["."], "folder"), (folder["none"], "no file")])
            AssertRefused(path, said);
    }

    [MachineTheory(Needs.Linux)]
    [InlineData("/dev/zero")]
    [InlineData("/dev/null")]
    public void File_ThatIsADevice_IsRefusedInASentence(string path) => AssertRefused(path, "device");

    private static void AssertRefused(string path, string said)
    {
        CommandLine run = CommandLine.Run(["tokenize", "-f", path]);
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains(said, Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [MachineFact(Needs.Linux)]
    public void Pipe_WithAName_IsRefusedAndOneOfTheShellIsRead()
    {
        using var folder = new TemporaryFolder();
        using (var make = System.Diagnostics.Process.Start("mkfifo", [folder["pipe"]])) make.WaitForExit();
        CommandLine named = CommandLine.Run(["tokenize", "-f", folder["pipe"]]);
        Assert.Equal(1, named.Code);
        Assert.Contains("standard input", Assert.Single(named.ErrorLines), StringComparison.Ordinal);
        CommandLine model = CommandLine.Run(["tokenize", "-p", "x", "-m", folder["pipe"]]);
        Assert.Equal(1, model.Code);
        Assert.Contains("this is a pipe", Assert.Single(model.ErrorLines), StringComparison.Ordinal);

        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        using (var writer = new AnonymousPipeClientStream(PipeDirection.Out, pipe.GetClientHandleAsString())) writer.Write("Once upon a time\n"u8);
        pipe.DisposeLocalCopyOfClientHandle();
        Assert.Equal(CommandLine.Run(["tokenize", "--ids", "-p", "Once upon a time"]).Output, CommandLine.Run(["tokenize", "--ids", "-f", $"/proc/self/fd/{pipe.SafePipeHandle.DangerousGetHandle()}"]).Output);
    }

    [Fact]
    public void File_ThatIsNoUtf8_IsReadAndSaid()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["latin"], [.. "un café, deux cafés"u8.ToArray().Where(b => b != 0xc3)]);
        File.WriteAllText(folder["utf8"], "un café, deux cafés");

        CommandLine latin = CommandLine.Run(["tokenize", "-f", folder["latin"]]), utf8 = CommandLine.Run(["tokenize", "-f", folder["utf8"]]);
        Assert.Equal((0, 0), (latin.Code, utf8.Code));
        Assert.Contains(latin.ErrorLines, line => line.Contains("U+FFFD 2 times", StringComparison.Ordinal));
        Assert.DoesNotContain(utf8.ErrorLines, line => line.Contains("U+FFFD", StringComparison.Ordinal));
    }

    [Fact]
    public void Dash_OfVerbsThatScoreAText_IsStandardInput()
    {
        using var folder = new TemporaryFolder();
        string text = string.Concat(Enumerable.Repeat("Once upon a time, there was a little boy named Tim. ", 12));
        File.WriteAllText(folder["t.txt"], text);

        CommandLine file = CommandLine.Run(["perplexity", "-f", folder["t.txt"], "-c", "32"]), piped = CommandLine.Run(["perplexity", "-f", "-", "-c", "32"], text);
        Assert.Equal((0, file.Output.Split('\n')[0]), (piped.Code, piped.Output.Split('\n')[0]));   // what follows has times

        Assert.Equal(0, CommandLine.Run(["imatrix", "-f", folder["t.txt"], "-o", folder["a.gguf"], "-c", "32", "--chunks", "2"]).Code);
        Assert.Equal(0, CommandLine.Run(["imatrix", "-f", "-", "-o", folder["b.gguf"], "-c", "32", "--chunks", "2"], text).Code);
        ImportanceMatrix a = ImportanceMatrix.Read(folder["a.gguf"]), b = ImportanceMatrix.Read(folder["b.gguf"]);
        Assert.Equal(a.Names, b.Names);
        Assert.Equal("-", b.Datasets.Single());
    }

    [Fact]
    public void Text_LongerThanTheBound_IsRefusedWithoutReadingItAll()
    {
        var endless = new Endless();
        string message = Assert.Throws<IOException>(() => TextFile.ReadToEnd(endless, "Standard input")).Message;
        Assert.Contains("256.0 MiB", message, StringComparison.Ordinal);
        Assert.InRange(endless.Given, 1L << 28, (1L << 28) + (1 << 17));

        using var folder = new TemporaryFolder();
        using (FileStream large = File.Create(folder["large"])) large.SetLength((1L << 28) + 1);
        Assert.Contains("large", Assert.Throws<IOException>(() => TextFile.Read(folder["large"])).Message, StringComparison.Ordinal);
    }

    [MachineFact(Needs.Linux)]
    public void Stream_ThatGivesNothing_IsReadNoLongerThanItsPatience()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        using var writer = new AnonymousPipeClientStream(PipeDirection.Out, pipe.ClientSafePipeHandle);
        writer.Write("some"u8);
        using var handle = new Microsoft.Win32.SafeHandles.SafeFileHandle(pipe.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);
        using var stream = new PatientStream(new FileStream(handle, FileAccess.Read, bufferSize: 0), "kmsg", TimeSpan.FromMilliseconds(50));
        Assert.Equal(4, stream.Read(new byte[16]));
        Assert.Contains("'kmsg' has given nothing", Assert.Throws<IOException>(() => stream.Read(new byte[16])).Message, StringComparison.Ordinal);
    }

    [MachineFact(Needs.Linux)]
    public void File_OfTheKernel_IsRead()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("processor", TextFile.Read("/proc/cpuinfo"), StringComparison.Ordinal);
        File.WriteAllText(folder["empty"], "");
        Assert.Equal("", TextFile.Read(folder["empty"]));
    }

    private sealed class Endless : TextReader
    {
        public long Given { get; private set; }

        public override int Read(char[] buffer, int index, int count)
        {
            Given += count;
            return count;
        }

        public override int Read(Span<char> buffer)
        {
            Given += buffer.Length;
            return buffer.Length;
        }
    }
}
