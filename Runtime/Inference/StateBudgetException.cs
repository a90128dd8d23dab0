namespace MambaRT;

/// <summary>There is no room for another state within the budget.</summary>
/// <param name="message">How much was asked for, what the budget is, and what to do.</param>
public sealed class StateBudgetException(string message) : InvalidOperationException(message);
