using System.Text;
using MambaRT.Formats;

namespace MambaRT.Chat;

/// <summary>
/// Encodes a rendered conversation so that what someone said can never become a marker of turns. Immutable and thread-safe.
/// </summary>
/// <remarks>
/// Markers are looked for in the template's own text alone. The text between two markers is encoded in one go, whoever wrote it, so that words
/// merge across the border of template and content as they did in training. Markers are control and unknown tokens, tokens that begin or end a
/// text, and tokens spelled &lt;|…|&gt;; where a file makes one of them a user-defined token, which a tokenizer finds in any text, the spelling
/// in what someone said is encoded in two pieces.
/// </remarks>
internal sealed class ChatEncoder
{
    private readonly ITokenizer _tokenizer;
    private readonly Markers _all;
    private readonly Markers _visible;   // those that the tokenizer could make of plain text

    /// <summary>The characters that markers are spelled with: first one of each marker that no other of those before, nor of ASCII, is in.</summary>
    public IReadOnlyCollection<char> MarkerCharacters { get; }

    public ChatEncoder(ITokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        var all = new List<(string, int)>();
        var visible = new List<(string, int)>();
        for (int token = 0; token < tokenizer.VocabularySize; token++)
        {
            string spelling = tokenizer.Spelling(token);
            if (spelling.Length == 0) continue;
            bool hidden = tokenizer.Decode(token, renderSpecial: false).IsEmpty && !tokenizer.Decode(token, renderSpecial: true).IsEmpty;
            bool named = spelling.Length > 4 && spelling.StartsWith("<|", StringComparison.Ordinal) && spelling.EndsWith("|>", StringComparison.Ordinal);
            if (!hidden && !named && token != tokenizer.Bos && !tokenizer.IsEndOfGeneration(token)) continue;
            all.Add((spelling, token));
            if (!hidden && spelling.Length > 1) visible.Add((spelling, token));
        }
        MarkerCharacters = CharactersOf([.. all.Select(marker => marker.Item1)]);
        _all = new Markers(all);
        _visible = new Markers(visible);
    }

    private static char[] CharactersOf(string[] markers)
    {
        var needed = new List<char>();
        foreach (string marker in markers)
            if (!marker.Any(c => TemplateTwins.HasAsciiTwin(c) || needed.Contains(c))) needed.Add(marker[0]);
        return [.. needed.Concat(markers.SelectMany(marker => marker)).Distinct()];
    }

    /// <summary>Lone surrogates become U+FFFD, as in the tokens: what is kept is then what the model reads and what a file can hold.</summary>
    public static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>Encodes parts that follow what has been fed; nothing fed means that they begin a sequence.</summary>
    /// <exception cref="FormatException">They are no token.</exception>
    public int[] Encode(IReadOnlyList<PromptPart> parts, IReadOnlyList<PromptPart> fed)
    {
        int before = fed.Count == 0 ? -1 : MarkerAtEnd(fed[^1]);
        TextPlace place = fed.Count == 0 ? TextPlace.Beginning : before >= 0 ? TextPlace.AfterSpecial : TextPlace.Within;
        var tokens = new List<int>();
        var run = new StringBuilder();
        bool strips = before >= 0 && _tokenizer.Matching(before).HasFlag(TokenMatching.StripsRight);   // the white space that comes belongs to the last marker
        foreach (PromptPart part in parts)
        {
            ReadOnlySpan<char> text = part.Text;
            while (!part.IsContent && _all.Find(text, out int start, out int length) is int marker and >= 0)
            {
                Append(text[..start]);
                TokenMatching matching = _tokenizer.Matching(marker);
                if (matching.HasFlag(TokenMatching.StripsLeft)) TrimEnd(run);
                AddRun(run, tokens, place);
                tokens.Add(marker);
                place = TextPlace.AfterSpecial;
                strips = matching.HasFlag(TokenMatching.StripsRight);
                text = text[(start + length)..];
            }
            Append(text);
        }
        AddRun(run, tokens, place);
        int[] all = PromptTokens.Begin(_tokenizer, [.. tokens], fed.Count == 0);
        return all.Length > 0 ? all
            : throw new FormatException("The chat template renders this conversation to nothing; the model needs at least one token. Use another template.");

        void Append(ReadOnlySpan<char> text)
        {
            if (strips) text = text.TrimStart();
            strips &= text.IsEmpty;
            run.Append(text);
        }
    }

    /// <summary>Cuts a rendered conversation at its markers; a marker that has a twin in it is someone's words.</summary>
    public List<PromptPart> Split(string rendered, TemplateTwins twins)
    {
        var parts = new List<PromptPart>();
        int markers = 0, at = 0;   // where the markers begin that end at the second place
        while (true)
        {
            bool found = _all.Find(rendered.AsSpan(at), out int gap, out int length) >= 0;
            if (gap > 0 || !found)
            {
                PromptPart.Append(parts, new PromptPart(rendered[markers..at], IsContent: false));
                PromptPart.Append(parts, new PromptPart(twins.Plain(rendered.Substring(at, gap)), IsContent: true));
                markers = at + gap;
            }
            if (!found) return parts;
            at += gap + length;
        }
    }

    /// <summary>The marker that a part ends with, or -1.</summary>
    private int MarkerAtEnd(PromptPart part)
    {
        ReadOnlySpan<char> text = part.IsContent ? "" : part.Text;
        int last = -1;
        while (_all.Find(text, out int start, out int length) is int marker and >= 0)
        {
            last = marker;
            text = text[(start + length)..];
        }
        return text.IsEmpty ? last : -1;
    }

    private static void TrimEnd(StringBuilder run)
    {
        while (run.Length > 0 && char.IsWhiteSpace(run[^1])) run.Length--;
    }

    private void AddRun(StringBuilder run, List<int> tokens, TextPlace place)
    {
        string whole = run.ToString();
        run.Clear();
        ReadOnlySpan<char> text = whole;
        while (_visible.Find(text, out int start, out _) >= 0)
        {
            int cut = start + FirstCharacter(text[start..]);
            tokens.AddRange(_tokenizer.Encode(text[..cut], parseSpecial: false, place));
            text = text[cut..];
            place = TextPlace.Within;
        }
        if (!text.IsEmpty) tokens.AddRange(_tokenizer.Encode(text, parseSpecial: false, place));
    }

    private static int FirstCharacter(ReadOnlySpan<char> text) => text.Length > 1 && char.IsSurrogatePair(text[0], text[1]) ? 2 : 1;
}
