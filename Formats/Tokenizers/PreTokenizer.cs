namespace MambaRT.Formats;

/// <summary>Cuts a text into words as one of llama.cpp's pre-tokenizers does: rules in a row, each cutting the pieces of the one before.</summary>
internal sealed class PreTokenizer
{
    public const string Key = "tokenizer.ggml.pre";

    /// <summary>What is taken where a file names none.</summary>
    public const string Guessed = "default";

    private static readonly PreTokenizer[] All =
    [
        new([Guessed], [WordRule.Symbols, WordRule.Gpt2, WordRule.NumberRuns, WordRule.DigitTriples]),
        new(["gpt-2", "gpt-neox", "mpt", "olmo", "jais", "phi-2", "gigachat", "roberta-bpe"], [WordRule.Gpt2]),
        new(["falcon"], [WordRule.SymbolsAndBacktick, WordRule.Gpt2, WordRule.DigitTriples]),
        new(["refact", "starcoder", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"], [WordRule.SingleNumbers, WordRule.Gpt2]),
        new(["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1"], [WordRule.Llama3]) { PrefersWholeWords = true, AddsBos = true },
        new(["dbrx", "smaug-bpe"], [WordRule.Llama3]),
        new(["qwen2", "stablelm2", "megrez", "deepseek-r1-qwen"], [WordRule.Qwen2]),
    ];

    private readonly string[] _names;
    private readonly WordRule[] _rules;

    private PreTokenizer(string[] names, WordRule[] rules)
    {
        _names = names;
        _rules = rules;
    }

    /// <summary>The first of its names.</summary>
    public string Family => _names[0];

    /// <summary>Whether a word that is a token becomes that token without merging.</summary>
    public bool PrefersWholeWords { get; private init; }

    /// <summary>Whether a text begins with BOS where metadata is silent.</summary>
    public bool AddsBos { get; private init; }

    /// <summary>Finds a pre-tokenizer by name; without a name it is <see cref="Guessed"/>.</summary>
    /// <exception cref="NotSupportedException">The name is unknown.</exception>
    public static PreTokenizer Find(string? name, string subject)
    {
        string wanted = string.IsNullOrEmpty(name) ? Guessed : name;
        return Array.Find(All, pre => pre._names.Contains(wanted)) ?? throw new NotSupportedException(
            $"{subject}: key '{Key}' is '{wanted}'; known pre-tokenizers are {string.Join(", ", All.SelectMany(pre => pre._names))}. Convert a model with one of these.");
    }

    /// <summary>Hands the words of <paramref name="text"/> to <paramref name="words"/>: together they are the text.</summary>
    public void Split<TSink>(ReadOnlySpan<char> text, ref TSink words) where TSink : IWordSink => Split(text, _rules, ref words);

    private static void Split<TSink>(ReadOnlySpan<char> text, ReadOnlySpan<WordRule> rules, ref TSink words) where TSink : IWordSink
    {
        if (rules.IsEmpty)
        {
            words.Add(text);
            return;
        }
        for (int start = 0; start < text.Length;)
        {
            int end = WordScanner.End(rules[0], text, start);
            Split(text[start..end], rules[1..], ref words);
            start = end;
        }
    }
}
