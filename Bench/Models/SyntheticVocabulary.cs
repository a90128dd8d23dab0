using System.Globalization;
using MambaRT.Formats;

namespace MambaRT.Bench;

/// <summary>A byte-level vocabulary of any size: every text can be spelled, and every token prints.</summary>
internal static class SyntheticVocabulary
{
    /// <summary>The end of a text, every byte, and the result of the one merge.</summary>
    public const int Fewest = 258;

    private const int Normal = 1, Control = 3;

    /// <summary>Writes the vocabulary's keys.</summary>
    public static void Write(GgufMetadata metadata, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, Fewest);
        var tokens = new string[size];
        var types = new int[size];
        Array.Fill(types, Normal);
        tokens[0] = "<|endoftext|>";
        types[0] = Control;
        int extra = 256;
        for (int value = 0; value < 256; value++) tokens[value + 1] = Spelling(value, ref extra);
        string space = tokens[' ' + 1];
        tokens[257] = space + "t";
        for (int i = Fewest; i < size; i++) tokens[i] = space + "w" + i.ToString(CultureInfo.InvariantCulture);
        metadata.Set("tokenizer.ggml.model", "gpt2");
        metadata.Set("tokenizer.ggml.pre", "mpt");
        metadata.Set("tokenizer.ggml.tokens", tokens);
        metadata.Set("tokenizer.ggml.token_type", types);
        metadata.Set("tokenizer.ggml.merges", new[] { space + " t" });
        metadata.Set("tokenizer.ggml.bos_token_id", 0u);
        metadata.Set("tokenizer.ggml.eos_token_id", 0u);
        metadata.Set("tokenizer.ggml.unknown_token_id", 0u);
    }

    /// <summary>GPT-2's spelling of a byte: printable ones stand for themselves, the others for the characters from 256 on. Source: bytes_to_unicode in openai/gpt-2.</summary>
    private static string Spelling(int value, ref int extra) =>
        ((char)(value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? value : extra++)).ToString();
}
