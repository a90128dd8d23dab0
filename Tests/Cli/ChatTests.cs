using System.Text.Json;
using MambaRT.Cli;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Conversations from a pipe, with the bundled model.</summary>
public sealed class ChatTests
{
    private static readonly string[] Short = ["chat", "--temp", "0", "-n", "12", "--commands"];

    [Fact]
    public void Chat_TwoLines_GivesTwoAnswersOnOutputAlone()
    {
        CommandLine run = CommandLine.Run(Short, "Write a story about watermelons\nWhat happened next?\n");

        Assert.Equal(0, run.Code);
        Assert.Equal(2, run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Empty(run.Error);
    }

    [Fact]
    public void Chat_Undo_GoesBackToTheTurnBefore()
    {
        string[] answers = Answers("Write a story about a fox\nHello\n/undo\nHello\n");

        Assert.Equal(3, answers.Length);
        Assert.Equal(answers[1], answers[2]);
    }

    [Fact]
    public void Chat_RetryAndReset_AnswerAsBefore()
    {
        string[] answers = Answers("Write a story about a fox\n/retry\n/reset\nWrite a story about a fox\n");

        Assert.Equal(Enumerable.Repeat(answers[0], 3), answers);
    }

    [Fact]
    public void Chat_Fork_KeepsBothFutures()
    {
        string[] answers = Answers("Write a story about a fox\n/fork\nHello\n/fork 1\nHello\n/fork 7\n");

        Assert.Equal(answers[1], answers[2]);
    }

    [Fact]
    public void Chat_SessionFile_ResumesWhereItStopped()
    {
        using var folder = new TemporaryFolder();
        string[] whole = Answers("Write a story about a fox\nWhat happened next?\n");
        string[] args = [.. Short, "--json", "--session", folder["evening.chat"]];

        CommandLine first = CommandLine.Run(args, "Write a story about a fox\n"), second = CommandLine.Run(args, "What happened next?\n");

        Assert.Equal(whole, new[] { Text(first.Output), Text(second.Output) });
        Assert.Contains("1 turn", second.Error);
    }

    [Fact]
    public void Chat_SaveAndLoad_GoBackToWhatWasSaved()
    {
        using var folder = new TemporaryFolder();

        string[] answers = Answers($"Write a story about a fox\n/save {folder["a.chat"]}\nHello\n/load {folder["a.chat"]}\nHello\n");

        Assert.Equal(answers[1], answers[2]);
    }

    [Theory]
    [InlineData("/load there-is-none.chat", 1)]
    [InlineData("/save", 1)]
    [InlineData("/fork 9", 1)]
    [InlineData("/dance", 1)]
    [InlineData("/retry", 1)]
    [InlineData("/undo", 0)]
    public void Chat_CommandThatCannotBe_IsAnsweredInALineAndGoesOn(string command, int code)
    {
        CommandLine run = CommandLine.Run(Short, $"{command}\nHello\n");

        Assert.Equal(code, run.Code);
        Assert.Single(run.ErrorLines);
        Assert.NotEmpty(run.Output);
    }

    [Fact]
    public void Chat_Quit_Ends()
    {
        CommandLine run = CommandLine.Run(Short, "/help\n/stats\n/quit\nHello\n");

        Assert.Equal(0, run.Code);
        Assert.Empty(run.Output);
        Assert.Contains("/retry", run.Error);
    }

    [Fact]
    public void Chat_SessionFileOfSomethingElse_IsRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["x.chat"], "something else");

        CommandLine run = CommandLine.Run([.. Short, "--session", folder["x.chat"]], "Hello\n");

        Assert.Equal(1, run.Code);
        Assert.Single(run.ErrorLines);
        Assert.Equal("something else", File.ReadAllText(folder["x.chat"]));
    }

    [Fact]
    public void Chat_SlashWithoutCommands_IsAMessage()
    {
        string[] args = ["chat", "--temp", "0", "-n", "4"];

        string[] lines = CommandLine.Run([.. args, "--json"], "/etc/hosts looks wrong\n/quit\n//x\nhello\n").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(4, lines.Length);
        Assert.All(lines, line => Assert.NotNull(Text(line)));
        Assert.NotEqual("", CommandLine.Run(args, "/undo\n").Output);
    }

    [Fact]
    public void Chat_JsonWithCommands_AnswersEveryLineByOneLine()
    {
        CommandLine run = CommandLine.Run([.. Short, "--json"], "Hello\n\n/undo\n/help\n//undo\n/dance\n/stats\n/quit\n");

        string[] members = [.. run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => string.Concat(
            JsonDocument.Parse(line).RootElement.EnumerateObject().Select(m => m.Name).Where(name => name is "text" or "note" or "error")))];
        Assert.Equal(["text", "note", "note", "note", "text", "error", "note", "note"], members);
        Assert.Empty(run.Error);
        Assert.Equal(1, run.Code);
    }

    [Fact]
    public void Chat_DoubleSlash_SaysTheRestWithOneSlash()
    {
        string[] said = Answers("//etc/hosts\n"), meant = [.. CommandLine.Run(["chat", "--temp", "0", "-n", "12", "--json"], "/etc/hosts\n").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Text)];

        Assert.Equal(meant, said);
    }

    [Fact]
    public void Chat_TurnThatFails_IsAnsweredInItsPlaceAndEndsWith1()
    {
        foreach (bool json in (bool[])[true, false])
        {
            using var tiny = new TinyModel();
            using var output = new StringWriter { NewLine = "\n" };
            using var error = new StringWriter { NewLine = "\n" };
            var terminal = new Terminal { In = new StringReader("one\nbad\nthree\n"), Out = output, Error = error };
            var template = ChatTemplate.Parse("{% for m in messages %}{% if m['content'] == 'bad' %}{{ raise_exception('no \u001b[2J bad') }}{% endif %}{{ m['content'] }}{% endfor %}");
            using var loop = new ChatLoop(terminal, tiny.Model, new ChatSession(tiny.Model.StartSession(), template, TinyModel.Saying("first", "third")), 1, null, json, withCommands: false);

            Assert.Equal(1, loop.Run("", resume: false));

            string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (json) Assert.Equal([true, false, true], lines.Select(line => JsonDocument.Parse(line).RootElement.TryGetProperty("text", out _)));
            else Assert.Equal(["first", "third"], lines);
            string said = json ? JsonDocument.Parse(lines[1]).RootElement.GetProperty("error").GetString()! : error.ToString();
            Assert.Contains("bad", said, StringComparison.Ordinal);
            Assert.DoesNotContain('\u001b', output.ToString() + error);
        }
    }

    [Fact]
    public void Chat_OtherSystemThanTheSavedOne_IsSaidAndTheSavedOneKept()
    {
        using var folder = new TemporaryFolder();
        string file = folder["a.chat"];
        CommandLine.Run([.. Short, "--session", file, "--system", "You are a pirate"], "Hello\n");

        CommandLine same = CommandLine.Run([.. Short, "--session", file, "--system", "You are a pirate"], "Hello\n"),
            other = CommandLine.Run([.. Short, "--session", file, "--system", "You are a ninja"], "Hello\n");

        Assert.DoesNotContain("--new-session", same.Error, StringComparison.Ordinal);
        Assert.Contains("--new-session", other.Error, StringComparison.Ordinal);
        Assert.Contains("You are a pirate", File.ReadAllText(file), StringComparison.Ordinal);

        CommandLine anew = CommandLine.Run([.. Short, "--session", file, "--system", "You are a ninja", "--new-session"], "Hello\n");

        Assert.Empty(anew.Error);
        Assert.DoesNotContain("You are a pirate", File.ReadAllText(file), StringComparison.Ordinal);
        Assert.Equal(2, CommandLine.Run([.. Short, "--new-session"]).Code);
    }

    /// <summary>The answers alone: commands are answered by notes.</summary>
    private static string[] Answers(string input) =>
        [.. CommandLine.Run([.. Short, "--json"], input).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.StartsWith("{\"text\"", StringComparison.Ordinal)).Select(Text)];

    private static string Text(string line) => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!;
}
