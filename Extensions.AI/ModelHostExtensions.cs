using Microsoft.Extensions.AI;

namespace MambaRT.Extensions.AI;

/// <summary>Makes chat clients of hosts.</summary>
public static class ModelHostExtensions
{
    /// <summary>
    /// A client that asks this host, for any number of threads at once. It has a thread only while it writes a prompt, keeps no log and no answers, and holds
    /// nothing that would have to be disposed; the host stays the caller's.
    /// </summary>
    /// <remarks>
    /// <para>Mapped of <see cref="ChatOptions"/>: Temperature, TopP, TopK, Seed, FrequencyPenalty, PresencePenalty, StopSequences, MaxOutputTokens, Instructions (a
    /// system text before all others) and ConversationId. A RawRepresentationFactory that makes <see cref="SamplingOptions"/> gives the settings that have no name
    /// there, such as min-p, the repeat penalty and how far penalties look back; what has one goes over it.</para>
    /// <para>What demands something that cannot be promised is refused by a <see cref="NotSupportedException"/>: an answer in JSON, a call of a tool, a response to
    /// be continued, and contents that are no text. What only allows or hints is left alone: tools that may be called, ModelId, Reasoning, background
    /// responses. So the middleware for functions runs, and finds no call.</para>
    /// <para>Without a ConversationId a request is all of the conversation. With one, the client keeps the turns: the first request of an id begins it, a later one brings
    /// only what is new. What the host keeps of states is gone on with either way, and told as CachedInputTokenCount. Requests of one id take turns; one that does not end in an answer changes nothing.
    /// Where the model's kept states have a folder (<see cref="CheckpointOptions.Folder"/>), conversations are files there too and go on after the program has ended, or in another one that
    /// shares it, with the same model; of two programs that answer in one conversation at the same time, the later one's turn is kept. An id may be any text. Whoever may read the folder reads what was
    /// said; a file that is damaged is dropped with a line to
    /// <see cref="CheckpointOptions.Note"/>, and its conversation begins anew; one that is whole and cannot be read, as it is held, closed or of a later version, fails the request with an IOException and stays.
    /// What cannot be written is told there, too, and is written with the next turn.</para>
    /// <para>GetService finds the host, its model and <see cref="ChatClientMetadata"/>, and by the id of a conversation as key its <see cref="ChatConversation"/>: what was said, a session in its state, and
    /// its deletion. The last update of an answer has its <see cref="GenerationStats"/> as RawRepresentation.</para>
    /// </remarks>
    /// <param name="host">What computes the answers; somebody else drives it where it is manual.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="FormatException">The model's chat template is malformed.</exception>
    public static IChatClient AsChatClient(this ModelHost host, MambaChatClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(host);
        options ??= new MambaChatClientOptions();
        options.Validate();
        return new HostChatClient(host, options);
    }
}
