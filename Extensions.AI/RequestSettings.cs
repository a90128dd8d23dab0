using Microsoft.Extensions.AI;

namespace MambaRT.Extensions.AI;

/// <summary>What a request asks for, in the words of the runtime.</summary>
/// <param name="sampling">How tokens are picked where it does not say.</param>
/// <param name="maxTokens">How far an answer goes where it does not say.</param>
internal sealed class RequestSettings(SamplingOptions sampling, int maxTokens)
{
    /// <summary>Refuses what demands something that no answer here can be held to.</summary>
    /// <exception cref="NotSupportedException">The request does.</exception>
    public static void RefuseWhatCannotBePromised(ChatOptions options)
    {
        if (options.ResponseFormat is ChatResponseFormatJson)
            throw new NotSupportedException("The request demands an answer in JSON (ResponseFormat), which this client cannot hold a model to; ask for text, and say in it what the text is to look like.");
        if (options.ToolMode is RequiredChatToolMode)
            throw new NotSupportedException("The request demands the call of a tool (ToolMode), and this client has no tools; leave the mode at Auto, which allows an answer without one.");
#pragma warning disable MEAI001 // said to be experimental: not to look at it would answer another request than was made
        if (options.ContinuationToken is not null)
            throw new NotSupportedException("The request goes on with a response (ContinuationToken); responses here have none. Send the messages again.");
#pragma warning restore MEAI001
    }

    /// <summary>How tokens are picked.</summary>
    public SamplingOptions Sampling(ChatOptions options, IChatClient client)
    {
        SamplingOptions own = options.RawRepresentationFactory?.Invoke(client) as SamplingOptions ?? sampling;   // another provider's settings are none of ours
        return own with
        {
            Temperature = options.Temperature ?? own.Temperature,
            TopP = options.TopP ?? own.TopP,
            TopK = options.TopK ?? own.TopK,
            FrequencyPenalty = options.FrequencyPenalty ?? own.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? own.PresencePenalty,
            Seed = options.Seed is long seed ? (uint)(seed ^ seed >> 32) : own.Seed,   // as it is from 0 to the largest of 32 bits
        };
    }

    /// <summary>How far the answer goes.</summary>
    public GenerationOptions Limits(ChatOptions options) =>
        new() { MaxTokens = options.MaxOutputTokens ?? maxTokens, Stop = options.StopSequences is { } stops ? [.. stops] : [] };
}
