// dotnet run -c Release --project docs/samples/aspnet -- --model Cli/Models/mamba-story-25m-q8_0.gguf
// curl -N localhost:5000/chat/evening -d 'What is gravity?'
using MambaRT.Extensions.AI;
using MambaRT.Serving;
using Microsoft.Extensions.AI;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
string path = builder.Configuration["model"] ?? throw new ArgumentException("Give --model the path of a .gguf file.");
builder.Services.AddMambaChatClient(path, options => options.Client = new MambaChatClientOptions { MaxOutputTokens = 400 });

WebApplication app = builder.Build();
app.MapPost("/chat/{id}", async (string id, HttpContext http, IChatClient client) =>
{
    using var body = new StreamReader(http.Request.Body);
    string said = await body.ReadToEndAsync(http.RequestAborted);
    http.Response.ContentType = "text/plain; charset=utf-8";
    try
    {
        // Whoever knows an id goes on with its conversation: a real program would not let a visitor choose one.
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(said, new ChatOptions { ConversationId = id }, http.RequestAborted))
        {
            await http.Response.WriteAsync(update.Text, http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }
    catch (QueueFullException)
    {
        http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
    }
    catch (InvalidOperationException e) when (!http.Response.HasStarted)   // the conversation has grown too long
    {
        http.Response.StatusCode = StatusCodes.Status409Conflict;
        await http.Response.WriteAsync(e.Message, http.RequestAborted);
    }
});
app.Run();
