namespace MambaRT.Devices;

/// <summary>Looks at what the projections of a model read while it runs.</summary>
public interface IActivationObserver
{
    /// <summary>Called with each row that a projection is about to be multiplied with.</summary>
    /// <param name="weight">The projection's weights, in the plan.</param>
    /// <param name="row">[columns], valid during the call only.</param>
    /// <remarks>Calls never overlap and come in a fixed order, but from any thread. They must not fail.</remarks>
    void Observe(WeightRef weight, ReadOnlySpan<float> row);
}
