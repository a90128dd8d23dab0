using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What README.md prints of the bundled model is what it says; <c>docs/bundled-model.sh</c> writes those blocks.</summary>
public sealed partial class ReadmeTranscriptTests
{
    private const string Marker = "<!-- printed by docs/bundled-model.sh -->\n```\n", Fence = "```";

    /// <summary>Of a number with a point: another processor adds in another order.</summary>
    private const double Bound = 0.02;

    public static TheoryData<string, string> Transcripts()
    {
        var data = new TheoryData<string, string>();
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md")).ReplaceLineEndings("\n");
        foreach (string block in readme.Split(Marker)[1..])
        {
            foreach (string transcript in ("\n" + block[..block.IndexOf(Fence, StringComparison.Ordinal)]).Split("\n$ ")[1..])
            {
                string[] parts = transcript.Split('\n', 2);
                data.Add(parts[0], parts[1].Trim('\n'));
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Transcripts))]
    public void Readme_Transcript_IsWhatTheBundledModelSays(string command, string printed)
    {
        Match parts = Parts().Match(command);
        Assert.True(parts.Success, command);
        string[] args = [.. Words().Matches(parts.Groups["args"].Value).Select(word => word.Value.Trim('"'))];

        CommandLine run = CommandLine.Run(args, parts.Groups["input"].Value.Replace("\\n", "\n", StringComparison.Ordinal));

        Assert.Equal(0, run.Code);
        string found = run.Output.Trim('\n');
        Assert.Equal(Decimals().Replace(printed, "#"), Decimals().Replace(found, "#"));
        foreach ((Match expected, Match number) in Decimals().Matches(printed).Zip(Decimals().Matches(found)))
            Assert.Equal(Value(expected), Value(number), Bound);
    }

    private static double Value(Match number) => double.Parse(number.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("""^(printf '(?<input>[^']*)' \| )?mambart (?<args>.*)$""")]
    private static partial Regex Parts();

    [GeneratedRegex("\"[^\"]*\"|[^ ]+")]
    private static partial Regex Words();

    [GeneratedRegex(@"-?\d+\.\d+")]
    private static partial Regex Decimals();
}
