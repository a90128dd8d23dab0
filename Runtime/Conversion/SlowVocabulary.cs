using System.Text;
using System.Text.Json;
using MambaRT.Formats;

namespace MambaRT.Conversion;

/// <summary>The files of transformers' slow tokenizers, vocab.json and merges.txt, as the tokenizer.json that they amount to.</summary>
/// <remarks>Source: transformers, tokenization_gpt2.py, tokenization_qwen2.py and convert_slow_tokenizer.py.</remarks>
internal static class SlowVocabulary
{
    private const int MaxBytes = 1 << 28;
    private const string EndOfText = "<|endoftext|>";   // special in each of these classes unless settings name another

    /// <summary>Classes with the pre-tokenizer that is written into their code.</summary>
    private static readonly (string Class, string Pre)[] Known =
        [("GPT2Tokenizer", "gpt-2"), ("GPTNeoXTokenizer", "gpt-2"), ("CodeGenTokenizer", "gpt-2"), ("Qwen2Tokenizer", "qwen2"), ("PreTrainedTokenizer", "gpt-2")];

    /// <summary>Reads the two files; null when a folder has neither.</summary>
    /// <exception cref="FormatException">One is missing or damaged.</exception>
    /// <exception cref="NotSupportedException">The tokenizer's class is not one that cuts text in a known way.</exception>
    public static HubConfig? TryRead(string folder, HubConfig? settings, List<string> notes)
    {
        string vocabPath = Path.Combine(folder, "vocab.json"), mergesPath = Path.Combine(folder, "merges.txt");
        if (!File.Exists(vocabPath) && !File.Exists(mergesPath)) return null;
        foreach ((string path, string other) in ((string, string)[])[(vocabPath, mergesPath), (mergesPath, vocabPath)])
            if (!File.Exists(path)) throw new FormatException($"{other}: there is no {Path.GetFileName(path)} beside it, and a tokenizer needs both; put it into the folder, or take a tokenizer from another.");
        string pre = PreTokenizer(settings, vocabPath, notes);
        HubConfig vocab = HubConfig.Read(vocabPath);
        return HubConfig.Make(vocabPath, json => Write(json, vocab, ReadMerges(mergesPath), pre));
    }

    private static string PreTokenizer(HubConfig? settings, string path, List<string> notes)
    {
        string? name = settings?.Text("tokenizer_class");
        string plain = name is null ? "PreTrainedTokenizer" : name.EndsWith("Fast", StringComparison.Ordinal) ? name[..^4] : name;
        if (Known.FirstOrDefault(known => known.Class == plain) is not { Pre: string pre })
            throw new NotSupportedException($"{path}: the tokenizer's class is '{HubConfig.Show(plain)}', and how it cuts text is known only for {string.Join(", ", Known.Select(known => known.Class))}. Put a tokenizer.json into the folder.");
        if (plain == "PreTrainedTokenizer") notes.Add("Nothing says how vocab.json and merges.txt cut text into words: GPT-2's way is taken.");
        if (settings?.Flag("add_prefix_space", missing: false) == true)
            throw new NotSupportedException($"{settings.Path}: key 'add_prefix_space' is true, which byte-level BPE in GGUF cannot express. Choose another checkpoint.");
        return pre;
    }

    private static void Write(Utf8JsonWriter json, HubConfig vocab, List<string> merges, string pre)
    {
        json.WriteStartArray("added_tokens");
        if (vocab.Get(EndOfText) is JsonElement id)
        {
            json.WriteStartObject();
            json.WritePropertyName("id");
            id.WriteTo(json);
            json.WriteString("content", EndOfText);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (pre == "qwen2")
        {
            json.WriteStartObject("normalizer");
            json.WriteString("type", "NFC");
            json.WriteEndObject();
        }
        json.WritePropertyName("pre_tokenizer");
        PreTokenizerImport.Write(json, pre);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteStartObject("vocab");
        foreach ((string token, JsonElement value) in vocab.Entries())
        {
            json.WritePropertyName(token);
            value.WriteTo(json);
        }
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (string merge in merges) json.WriteStringValue(merge);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>A pair a line, after a line with the version.</summary>
    private static List<string> ReadMerges(string path)
    {
        LfsPointer.Refuse(path);
        long bytes = new FileInfo(path).Length;
        if (bytes > MaxBytes) throw new FormatException($"{path}: the file has {bytes} bytes; at most {MaxBytes} are read. Download it again.");
        List<string> merges = [];
        int number = 0;
        try
        {
            foreach (string line in File.ReadLines(path, new UTF8Encoding(false, throwOnInvalidBytes: true)))
            {
                string merge = line.Trim();
                if (merge.Length == 0 || (number++ == 0 && merge.StartsWith("#version", StringComparison.Ordinal))) continue;
                int space = merge.IndexOf(' ');
                if (space <= 0 || merge.IndexOf(' ', space + 1) >= 0)
                    throw new FormatException($"{path}: '{HubConfig.Show(merge)}' is not a pair of tokens with a space between; download the file again.");
                merges.Add(merge);
            }
        }
        catch (DecoderFallbackException e)
        {
            throw new FormatException($"{path}: the file is not valid UTF-8; download it again.", e);
        }
        return merges;
    }
}
