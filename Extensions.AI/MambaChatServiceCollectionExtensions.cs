using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace MambaRT.Extensions.AI;

/// <summary>Adds chat clients to the services of a program.</summary>
public static class MambaChatServiceCollectionExtensions
{
    /// <summary>
    /// Adds an <see cref="IChatClient"/> over a model, and the <see cref="ModelHost"/> and the <see cref="Model"/> beneath it, each once. The model is opened when one of them is
    /// first asked for, and disposed with the services.
    /// </summary>
    /// <remarks>Middleware goes over the host: <c>services.AddChatClient(all => all.GetRequiredService&lt;ModelHost&gt;().AsChatClient()).UseLogging()</c>, after this.</remarks>
    /// <param name="services">Where it is added.</param>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="configure">Changes the defaults, at once.</param>
    public static IServiceCollection AddMambaChatClient(this IServiceCollection services, string path, Action<MambaChatServiceOptions>? configure = null) =>
        Add(services, null, path, configure);

    /// <summary>As <see cref="AddMambaChatClient"/>, under a key: for several models beside each other.</summary>
    /// <inheritdoc cref="AddMambaChatClient"/>
    /// <param name="services">Where it is added.</param>
    /// <param name="serviceKey">The key.</param>
    /// <param name="path">A .gguf file, or any part of a split set.</param>
    /// <param name="configure">Changes the defaults, at once.</param>
    public static IServiceCollection AddKeyedMambaChatClient(this IServiceCollection services, object? serviceKey, string path, Action<MambaChatServiceOptions>? configure = null) =>
        Add(services, serviceKey, path, configure);

    private static IServiceCollection Add(IServiceCollection services, object? key, string path, Action<MambaChatServiceOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var options = new MambaChatServiceOptions();
        configure?.Invoke(options);
        if (options is not { Backend: not null, Model: not null, Host: not null, Client: not null })
            throw new ArgumentException("Backend, Model, Host and Client of a chat client's options are none of them null; leave out what shall be as it is.", nameof(configure));
        services.AddKeyedSingleton(key, (_, _) => new OpenedModel(path, options));
        services.AddKeyedSingleton(key, static (all, key) => all.GetRequiredKeyedService<OpenedModel>(key).Model);
        services.AddKeyedSingleton(key, (all, key) => new ModelHost(all.GetRequiredKeyedService<Model>(key), options.Host));
        services.AddKeyedSingleton(key, (all, key) => all.GetRequiredKeyedService<ModelHost>(key).AsChatClient(options.Client));
        return services;
    }
}
