"""MambaRT from Python by ctypes: python3 chat.py libmambart.so MODEL.gguf [QUESTION]"""
import ctypes as c
import sys

lib = c.CDLL(sys.argv[1])
lib.mrt_last_error.restype = c.c_char_p
handle, text_fn = c.c_uint64, c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(c.c_char), c.c_size_t)
lib.mrt_model_open.argtypes = [c.c_char_p, c.c_void_p, c.POINTER(handle)]
lib.mrt_sampler_create.argtypes = [c.c_void_p, c.POINTER(handle)]
lib.mrt_chat_create.argtypes = [handle, handle, c.c_char_p, c.c_char_p, c.c_void_p, c.POINTER(handle)]
lib.mrt_chat_say.argtypes = [handle, c.c_char_p, c.c_size_t, text_fn, c.c_void_p]
lib.mrt_chat_close.argtypes = lib.mrt_sampler_close.argtypes = lib.mrt_model_close.argtypes = [handle]


def check(code):
    if code != 0:
        raise RuntimeError(lib.mrt_last_error().decode())


@text_fn
def show(user, text, length):
    sys.stdout.buffer.write(c.string_at(text, length))
    sys.stdout.flush()
    return 0   # anything else ends the answer


model, sampler, chat = handle(), handle(), handle()
check(lib.mrt_model_open(sys.argv[2].encode(), None, c.byref(model)))
check(lib.mrt_sampler_create(None, c.byref(sampler)))
check(lib.mrt_chat_create(model, sampler, None, None, None, c.byref(chat)))
said = (sys.argv[3] if len(sys.argv) > 3 else "Tell me a story.").encode()
check(lib.mrt_chat_say(chat, said, len(said), show, None))
print()
for close, made in ((lib.mrt_chat_close, chat), (lib.mrt_sampler_close, sampler), (lib.mrt_model_close, model)):
    check(close(made))
