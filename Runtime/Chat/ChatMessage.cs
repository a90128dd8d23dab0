namespace MambaRT.Chat;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks: "system", "user" or "assistant"; templates may know others.</param>
/// <param name="Content">What is said.</param>
public readonly record struct ChatMessage(string Role, string Content);
