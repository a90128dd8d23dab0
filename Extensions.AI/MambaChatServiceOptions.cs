namespace MambaRT.Extensions.AI;

/// <summary>How <see cref="MambaChatServiceCollectionExtensions"/> open and serve a model.</summary>
public sealed class MambaChatServiceOptions
{
    /// <summary>The backend by its name: "auto", "cpu", "cuda", "cuda:1", ...</summary>
    public string Backend { get; set; } = "auto";

    /// <summary>Where a GPU keeps what its driver makes of shaders, so that later starts are quick (Vulkan); null for nowhere.</summary>
    public string? PipelineFolder { get; set; }

    /// <summary>How the model is opened.</summary>
    public ModelOptions Model { get; set; } = new();

    /// <summary>How it is served.</summary>
    public ModelHostOptions Host { get; set; } = new();

    /// <summary>What the client does where a request does not say.</summary>
    public MambaChatClientOptions Client { get; set; } = new();
}
