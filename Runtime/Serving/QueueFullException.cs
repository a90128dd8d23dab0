namespace MambaRT.Serving;

/// <summary>A host has as many requests waiting as it may have.</summary>
/// <param name="waiting">How many those are.</param>
public sealed class QueueFullException(int waiting)
    : InvalidOperationException($"The queue is full: {waiting} requests wait for a sequence; try again later, or allow more (MaxQueue, MaxSequences).");
