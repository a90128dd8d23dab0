namespace MambaRT.Formats;

/// <summary>Takes the words of a pre-tokenizer in order.</summary>
internal interface IWordSink
{
    /// <summary>Takes one word, not empty.</summary>
    void Add(ReadOnlySpan<char> word);
}
