using MambaRT.Bench;
using MambaRT.Cli;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

/// <summary>What the verbs write: never over what the same call reads, and results before reports.</summary>
public sealed class OutputTests : IDisposable
{
    private static readonly ModelShape Small = new Mamba().Shape("small", 256, 2, vocabulary: 320);

    private readonly TemporaryFolder _folder = new();

    public OutputTests()
    {
        ModelMaker.Write(Small, "F32", _folder["m.gguf"]);
        File.Copy(_folder["m.gguf"], _folder["n.gguf"]);
        File.WriteAllText(_folder["t.txt"], string.Concat(Enumerable.Range(0, 400).Select(i => $"number {i * i % 97}, ")));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Command lines in which @ stands for the folder.</summary>
    public static TheoryData<string> OverInputs =>
    [
        "imatrix -m @m.gguf -f @t.txt -o @m.gguf -c 16 --chunks 1",
        "imatrix -m @m.gguf -f @t.txt -o @t.txt -c 16 --chunks 1",
        "compare @m.gguf @n.gguf -f @t.txt -c 16 --limit 64 --html @m.gguf",
        "compare @m.gguf @n.gguf -f @t.txt -c 16 --limit 64 --md @n.gguf",
        "compare @m.gguf @n.gguf -f @t.txt -c 16 --limit 64 --md @t.txt",
        "bench -m @m.gguf --threads 1 --no-check --csv @m.gguf",
        "bench -m @m.gguf --threads 1 --no-check --md @m.gguf",
        "bench -m @m.gguf --threads 1 --no-check --html @m.gguf",
        "bench -m @m.gguf --make mamba-130m --type Q8_0 -o @m.gguf",
        "quantize @m.gguf @m.gguf Q8_0",
        "quantize @m.gguf @i.gguf Q8_0 --imatrix @i.gguf",
        "convert @hf -o @hf/model.safetensors",
        "convert @hf -o @hf/notes.txt",
        "convert @hf -o @hf/config.json",
        "convert @hf --tokenizer @m.gguf -o @m.gguf",
        "convert @hf --tokenizer @hf2 -o @hf2/tokenizer.json",
        "export @e/model.safetensors -o @e --force",
    ];

    [Theory]
    [MemberData(nameof(OverInputs))]
    public void Verb_OutputThatIsAnInput_IsRefusedAndKept(string line)
    {
        if (line.Contains("@i.", StringComparison.Ordinal)) Assert.Equal(0, Run("imatrix -m @m.gguf -f @t.txt -o @i.gguf -c 16 --chunks 1").Code);
        if (line.Contains("@hf", StringComparison.Ordinal)) MakeFolders();
        if (line.Contains("@e", StringComparison.Ordinal)) File.Copy(_folder["m.gguf"], Path.Combine(Directory.CreateDirectory(_folder["e"]).FullName, "model.safetensors"));
        Dictionary<string, byte[]> before = Contents();

        CommandLine run = Run(line);

        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("another name", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, Contents());
    }

    [MachineFact(Needs.Unix)]
    public void Verb_OutputThatIsAnInputThroughALink_IsRefusedAndKept()
    {
        File.CreateSymbolicLink(_folder["l.gguf"], "m.gguf");
        byte[] before = File.ReadAllBytes(_folder["m.gguf"]);

        foreach (string line in (string[])["imatrix -m @l.gguf -f @t.txt -o @m.gguf -c 16 --chunks 1", "quantize @m.gguf @l.gguf Q8_0", "compare @l.gguf @n.gguf -f @t.txt -c 16 --md @m.gguf"])
            Assert.Equal((1, ""), (Run(line).Code, Run(line).Output));

        Assert.Equal(before, File.ReadAllBytes(_folder["m.gguf"]));
        Assert.Equal("m.gguf", new FileInfo(_folder["l.gguf"]).LinkTarget);
    }

    [Fact]
    public void Verb_OutputThatAProgramHasMapped_IsRefused()
    {
        using var inUse = new MappedFile(_folder["n.gguf"]);

        CommandLine run = Run("bench --make mamba-130m --type Q8_0 -o @n.gguf");

        Assert.Equal(1, run.Code);
        Assert.Contains("in use", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("imatrix -m @m.gguf -f @t.txt -o - -c 16")]
    [InlineData("compare @m.gguf @n.gguf -f @t.txt -c 16 --md -")]
    [InlineData("compare @m.gguf @n.gguf -f @t.txt -c 16 --html -")]
    [InlineData("bench -m @m.gguf --threads 1 --csv -")]
    [InlineData("bench --make mamba-130m --type Q8_0 -o -")]
    [InlineData("quantize @m.gguf - Q8_0")]
    [InlineData("convert @hf -o -")]
    [InlineData("export @m.gguf -o -")]
    [InlineData("chat -m @m.gguf --session -")]
    public void Verb_OutputThatIsAHyphen_IsRefusedInASentence(string line)
    {
        if (line.Contains("@hf", StringComparison.Ordinal)) MakeFolders();
        CommandLine run = Run(line);
        Assert.Equal((1, ""), (run.Code, run.Output));
        Assert.Contains("'./-'", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.False(File.Exists("-"));
    }

    [Theory]
    [InlineData("bench --compare a.json b.json --md r.md", "--md")]
    [InlineData("bench --compare a.json b.json --html r.html", "--html")]
    [InlineData("bench --compare a.json b.json --csv r.csv", "--csv")]
    [InlineData("bench --compare a.json b.json -t 2", "--threads")]
    [InlineData("bench --compare a.json b.json --no-check", "--no-check")]
    [InlineData("bench --make mamba-130m --type Q8_0 -o @x.gguf --csv r.csv", "--csv")]
    public void Bench_OptionThatWouldBeIgnored_IsRefusedByName(string line, string option)
    {
        CommandLine run = Run(line);
        Assert.Equal((2, ""), (run.Code, run.Output));
        Assert.Contains(option, run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["x.gguf"]));
    }

    [Fact]
    public void Verb_TwoOutputsThatAreOne_AreRefused()
    {
        CommandLine run = Run("compare @m.gguf @n.gguf -f @t.txt -c 16 --md @r --html @x/../r");

        Assert.Equal((2, ""), (run.Code, run.Output));
        Assert.False(File.Exists(_folder["r"]));
    }

    [MachineFact(Needs.Linux)]
    public void Compare_ReportThatCannotBeWritten_GivesTheTableAndTheOtherReport()
    {
        string place = Directory.CreateDirectory(_folder["gone"]).FullName;
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        // The folder of the first report vanishes between the check and the writing, as room on a disk can.
        using var whenScored = new Callback(line =>
        {
            if (line.Contains("windows", StringComparison.Ordinal) && Directory.Exists(place)) Directory.Delete(place, recursive: true);
        }, error);

        int code = Program.Run([.. Words("compare @m.gguf @n.gguf -f @t.txt -c 16 --limit 64 --md @gone/r.md --html @r.html")],
            new Terminal { In = TextReader.Null, Out = output, Error = whenScored });

        Assert.Equal(1, code);
        Assert.Contains("n.gguf", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("r.md", error.ToString(), StringComparison.Ordinal);
        Assert.True(File.Exists(_folder["r.html"]));
    }

    private CommandLine Run(string line) => CommandLine.Run([.. Words(line)]);

    private IEnumerable<string> Words(string line) => line.Split(' ').Select(word => word.StartsWith('@') ? _folder[word[1..]] : word);

    private void MakeFolders()
    {
        foreach (string name in (string[])["hf", "hf2"])
        {
            Directory.CreateDirectory(_folder[name]);
            foreach (string file in (string[])["config.json", "model.safetensors"]) File.Copy(ModelData.PathOf("oracles", "mamba", file), Path.Combine(_folder[name], file));
            File.WriteAllText(Path.Combine(_folder[name], "notes.txt"), "mine");
            File.WriteAllText(Path.Combine(_folder[name], "tokenizer.json"), "{}");
        }
    }

    private Dictionary<string, byte[]> Contents() => Directory.GetFiles(_folder["."], "*", SearchOption.AllDirectories).ToDictionary(path => path, File.ReadAllBytes);

    /// <summary>A writer that says what it writes.</summary>
    private sealed class Callback(Action<string> said, TextWriter inner) : StringWriter
    {
        public override void Write(ReadOnlySpan<char> buffer)
        {
            inner.Write(buffer);
            said(buffer.ToString());
        }

        public override void WriteLine() => inner.WriteLine();
    }
}
