namespace MambaRT;

/// <summary>There is no room for another state within the budget, or on the device.</summary>
/// <param name="message">How much was asked for, what the budget is, and what to do.</param>
/// <param name="device">What the device said where it has no memory left; null where the budget is used up.</param>
public sealed class StateBudgetException(string message, Exception? device = null) : InvalidOperationException(message, device);
