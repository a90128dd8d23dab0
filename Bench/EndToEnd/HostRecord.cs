namespace MambaRT.Bench;

/// <summary>What a <see cref="Serving.ModelHost"/> costs and gains, measured by <see cref="HostBench"/>.</summary>
/// <param name="Version">The program's version line.</param>
/// <param name="Machine">The processor and the threads that were used.</param>
/// <param name="Model">The model's name, and the storage type of most of its weights.</param>
/// <param name="Backend">Where it ran.</param>
/// <param name="Decodes">Conversations beside each other.</param>
/// <param name="FirstToken">A history that is sent again.</param>
/// <param name="Delay">A long prompt beside an answer.</param>
/// <param name="Frames">Steps for a time.</param>
public sealed record HostRecord(
    string Version, string Machine, string Model, string Backend, IReadOnlyList<HostDecode> Decodes, HostFirstToken FirstToken, HostDelay Delay, HostFrames Frames);

/// <summary>Decoding of several conversations at once.</summary>
/// <param name="Conversations">How many.</param>
/// <param name="BatchTokensPerSecond">Tokens a second of all, as a batch without a host.</param>
/// <param name="HostTokensPerSecond">The same by a host, text and readers included.</param>
public sealed record HostDecode(int Conversations, double BatchTokensPerSecond, double HostTokensPerSecond);

/// <summary>The time to the first token of a history that is sent again with a new turn.</summary>
/// <param name="History">Tokens of it.</param>
/// <param name="Turn">Tokens of the new turn.</param>
/// <param name="FedCached">Tokens that were fed with kept states.</param>
/// <param name="CachedMs">Milliseconds with kept states.</param>
/// <param name="UncachedMs">Milliseconds without.</param>
public sealed record HostFirstToken(int History, int Turn, int FedCached, double CachedMs, double UncachedMs);

/// <summary>What a long prompt delays the tokens of a running answer by.</summary>
/// <param name="Prompt">Tokens of the prompt.</param>
/// <param name="Chunk">Tokens of a chunk, the most of it that lies between two tokens of the answer.</param>
/// <param name="AloneMs">Milliseconds of the answer's token alone, the median.</param>
/// <param name="MedianMs">The same while the prompt is read.</param>
/// <param name="LongestMs">The longest of those.</param>
public sealed record HostDelay(int Prompt, int Chunk, double AloneMs, double MedianMs, double LongestMs);

/// <summary>Steps for a time, one after the other, with conversations that end and begin; and between them as many loops that do nothing for as long, which tell what the machine adds.</summary>
/// <param name="Count">How many.</param>
/// <param name="Conversations">At once.</param>
/// <param name="BudgetMs">The time that was given to each.</param>
/// <param name="TokensPerSecond">Tokens generated in a second of that time.</param>
/// <param name="Bounds">Upper bounds of the parts below, in milliseconds beyond the budget; one more part has no bound.</param>
/// <param name="Parts">Steps whose overrun lies in each part.</param>
/// <param name="LongestMs">The longest overrun in milliseconds.</param>
/// <param name="IdleParts">The same of the loops that do nothing.</param>
/// <param name="IdleLongestMs">The longest of theirs.</param>
public sealed record HostFrames(
    int Count, int Conversations, double BudgetMs, double TokensPerSecond, IReadOnlyList<double> Bounds, IReadOnlyList<int> Parts, double LongestMs, IReadOnlyList<int> IdleParts, double IdleLongestMs);
