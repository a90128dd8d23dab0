using System.Text.Json;
using Xunit;

namespace MambaRT.Tests;

/// <summary>Conversations from a pipe, with the bundled model.</summary>
public sealed class ChatTests
{
    private static readonly string[] Short = ["chat", "--temp", "0", "-n", "12"];

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
    [InlineData("/load there-is-none.chat")]
    [InlineData("/save")]
    [InlineData("/fork 9")]
    [InlineData("/dance")]
    [InlineData("/retry")]
    [InlineData("/undo")]
    public void Chat_CommandThatCannotBe_IsAnsweredInALineAndGoesOn(string command)
    {
        CommandLine run = CommandLine.Run(Short, $"{command}\nHello\n");

        Assert.Equal(0, run.Code);
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

    private static string[] Answers(string input) =>
        [.. CommandLine.Run([.. Short, "--json"], input).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Text)];

    private static string Text(string line) => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!;
}
