using Xunit;

namespace MambaRT.Tests;

/// <summary>Penalties on recent tokens, on the command line: negative ones ask for what was said last, which shows in any model.</summary>
public sealed class PenaltyTests
{
    private static readonly string[] Raw = ["run", "--raw", "-p", "Once upon a time", "-n", "4", "--temp", "0"];

    [Theory]
    [InlineData("--frequency-penalty")]
    [InlineData("--presence-penalty")]
    public void Run_NegativePenalty_SaysTheLastTokenAgain(string option)
    {
        string plain = CommandLine.Run(Raw).Output;

        Assert.Equal(" time time time time", CommandLine.Run([.. Raw, option, "-100", "--repeat-last-n", "1"]).Output.TrimEnd());
        Assert.Equal(plain, CommandLine.Run([.. Raw, option, "-100", "--repeat-last-n", "0"]).Output);
        Assert.Equal(plain, CommandLine.Run([.. Raw, option, "0"]).Output);
        Assert.Contains("from -100 to 100", CommandLine.Run([.. Raw, option, "101"]).Error, StringComparison.Ordinal);
    }

    /// <summary>How often a token occurred counts for the one, and that it did for the other.</summary>
    [Fact]
    public void Run_FrequencyAndPresence_WeighOccurrencesDifferently()
    {
        string[] run = ["run", "--raw", "-p", "time time time once", "-n", "1", "--temp", "0", "--repeat-last-n", "-1"];

        Assert.Equal(" time", CommandLine.Run([.. run, "--frequency-penalty", "-50"]).Output.TrimEnd());
        Assert.Equal(CommandLine.Run([.. run, "--presence-penalty", "-50"]).Output, CommandLine.Run([.. run, "--presence-penalty", "-100"]).Output);
    }

    [Fact]
    public void Chat_Penalty_ChangesTheAnswer()
    {
        string[] chat = ["chat", "--temp", "0", "-n", "12"];
        const string Said = "Write a story about watermelons\n";

        Assert.NotEqual(CommandLine.Run(chat, Said).Output, CommandLine.Run([.. chat, "--presence-penalty", "100", "--repeat-last-n", "-1"], Said).Output);
    }
}
