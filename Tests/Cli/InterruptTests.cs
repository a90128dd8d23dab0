using System.Runtime.InteropServices;
using MambaRT.Cli;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Signals that come while a verb is at work; <see cref="AotSignalTests"/> sends them to a process.</summary>
public sealed class InterruptTests
{
    [Theory]
    [InlineData("run", "-p", "Write a story", "-n", "400", "--ignore-eos")]
    [InlineData("run", "--raw", "-p", "Once", "-n", "400", "--ignore-eos")]
    [InlineData("chat", "-n", "400", "--ignore-eos")]
    public void Verb_CtrlCDuringAnAnswer_EndsWith130(params string[] args)
    {
        var interrupt = new Interrupt();
        using var output = new CallingWriter(() => interrupt.Raise(PosixSignal.SIGINT));
        using var error = new StringWriter();

        int code = Program.Run(args, new Terminal { In = new StringReader("Hello\nAgain\n"), Out = output, Error = error, Interrupt = interrupt });

        Assert.Equal(130, code);
        Assert.InRange(output.ToString().Length, 1, 200);
    }

    [Fact]
    public void Perplexity_CtrlC_GivesNoNumberAnd130()
    {
        var interrupt = new Interrupt();
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.txt"], string.Concat(Enumerable.Repeat("Once upon a time there was a fox. ", 400)));
        using var output = new StringWriter();
        using var error = new CallingWriter(() => interrupt.Raise(PosixSignal.SIGINT), "Perplexity");

        int code = Program.Run(["perplexity", "-f", folder["text.txt"], "-c", "256", "--json"], new Terminal { In = TextReader.Null, Out = output, Error = error, Interrupt = interrupt });

        Assert.Equal(130, code);
        Assert.Empty(output.ToString());
    }

    [Fact]
    public void Forgive_AfterCtrlC_LetsTheNextWorkRun()
    {
        var interrupt = new Interrupt();
        CancellationToken first = interrupt.Begin();
        interrupt.Raise(PosixSignal.SIGINT);
        Assert.Equal(130, interrupt.ExitCode);
        Assert.Throws<OperationCanceledException>(interrupt.Rest);

        interrupt.Forgive();

        Assert.True(first.IsCancellationRequested);
        Assert.False(interrupt.Begin().IsCancellationRequested);
        Assert.Null(interrupt.ExitCode);
    }

    /// <summary>Calls once, at what begins with a given text.</summary>
    private sealed class CallingWriter(Action call, string start = "") : StringWriter
    {
        private Action? _call = call;

        public override void Write(string? value) => Write(value.AsSpan());

        public override void Write(ReadOnlySpan<char> buffer)
        {
            base.Write(buffer);
            if (!buffer.StartsWith(start, StringComparison.Ordinal)) return;
            _call?.Invoke();
            _call = null;
        }
    }
}
