/* Two functions around libjpeg's decoder, for turbo.rs.
 *
 * libjpeg demands that its error handler does not return, and so do the limits set here. All of them leave by `longjmp`
 * to `attempt` below, over frames of libjpeg and of this file alone: there is nothing of the caller's language in
 * between, and both functions always return. Neither has any state that outlives a call.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "jpeglib.h"

/* What came of a call, as in turbo.rs. */
enum outcome { DONE = 0, REFUSED = 1, CUT = 2, TOO_MANY_SCANS = 3 };

struct frame {
    uint32_t width, height, components;
};

struct decoder {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    enum outcome outcome;
    /* Whether every pixel was decoded. */
    int complete;
    /* What the caller gave, and where results go. */
    const uint8_t *bytes;
    size_t len;
    int max_scans;
    long max_memory;
    struct frame *frame;
    uint8_t *pixels;
    size_t pixels_len;
    char *message;
};

static void leave(j_common_ptr info, enum outcome outcome)
{
    struct decoder *decoder = info->client_data;
    decoder->outcome = outcome;
    longjmp(decoder->back, 1);
}

static void error_exit(j_common_ptr info)
{
    struct decoder *decoder = info->client_data;
    info->err->format_message(info, decoder->message);
    leave(info, REFUSED);
}

/* Warnings are not printed. As in Pillow they refuse nothing. */
static void output_message(j_common_ptr info)
{
    (void)info;
}

static void count_scans(j_common_ptr info)
{
    struct decoder *decoder = info->client_data;
    if (decoder->info.input_scan_number > decoder->max_scans)
        leave(info, TOO_MANY_SCANS);
}

static void nothing(j_decompress_ptr info)
{
    (void)info;
}

/* All bytes are there from the beginning, so whoever asks for more has a file that was cut: but if every pixel was
 * decoded, only the end of the image is missing, and Pillow reads such a file too. */
static void end_of_bytes(j_decompress_ptr info)
{
    struct decoder *decoder = info->client_data;
    leave((j_common_ptr)info, decoder->complete ? DONE : CUT);
}

static boolean fill_input_buffer(j_decompress_ptr info)
{
    end_of_bytes(info);
    return FALSE;
}

static void skip_input_data(j_decompress_ptr info, long count)
{
    if (count <= 0)
        return;
    if ((unsigned long)count > info->src->bytes_in_buffer)
        end_of_bytes(info);
    info->src->next_input_byte += count;
    info->src->bytes_in_buffer -= (size_t)count;
}

static void read_frame(struct decoder *decoder)
{
    j_decompress_ptr info = &decoder->info;

    jpeg_create_decompress(info);
    /* Set before anything is read, so that no allocation escapes it. */
    info->mem->max_memory_to_use = decoder->max_memory;
    info->client_data = decoder;
    info->src = &decoder->source;
    info->progress = &decoder->progress;
    decoder->source.next_input_byte = decoder->bytes;
    decoder->source.bytes_in_buffer = decoder->len;
    decoder->source.init_source = nothing;
    decoder->source.fill_input_buffer = fill_input_buffer;
    decoder->source.skip_input_data = skip_input_data;
    decoder->source.resync_to_restart = jpeg_resync_to_restart;
    decoder->source.term_source = nothing;
    decoder->progress.progress_monitor = count_scans;

    jpeg_read_header(info, TRUE);
    if (decoder->frame) {
        decoder->frame->width = info->image_width;
        decoder->frame->height = info->image_height;
        decoder->frame->components = (uint32_t)info->num_components;
    }
}

static void read_pixels(struct decoder *decoder)
{
    j_decompress_ptr info = &decoder->info;

    read_frame(decoder);
    /* The rest is libjpeg's default, as in Pillow: grey, RGB or CMYK out, the exact integer transform, smooth
     * upsampling. */
    jpeg_start_decompress(info);
    size_t row = (size_t)info->output_width * (size_t)info->output_components;
    if (row == 0 || decoder->pixels_len % row != 0 || decoder->pixels_len / row != info->output_height) {
        strcpy(decoder->message, "the frame changed between two readings");
        leave((j_common_ptr)info, REFUSED);
    }
    while (info->output_scanline < info->output_height) {
        JSAMPROW line = decoder->pixels + row * info->output_scanline;
        jpeg_read_scanlines(info, &line, 1);
    }
    decoder->complete = 1;
    /* Reads on to the end of the image. A scan more than the frame has shows here. */
    jpeg_finish_decompress(info);
}

/* Runs `work`. What it leaves half done is freed by the caller: the decoder is not a local of this function, so that
 * its members are as they were at the `longjmp` (C11 7.13.2.1). */
static enum outcome attempt(struct decoder *decoder, void (*work)(struct decoder *))
{
    if (setjmp(decoder->back) != 0)
        return decoder->outcome;
    work(decoder);
    return DONE;
}

static int run(struct decoder *decoder, void (*work)(struct decoder *))
{
    decoder->info.err = jpeg_std_error(&decoder->errors);
    decoder->errors.error_exit = error_exit;
    decoder->errors.output_message = output_message;
    /* Creating a decoder keeps this and `err`, and may fail already. */
    decoder->info.client_data = decoder;
    enum outcome outcome = attempt(decoder, work);
    /* Frees, and calls no error handler; does nothing where there is nothing yet. */
    jpeg_destroy_decompress(&decoder->info);
    return (int)outcome;
}

/* Reads the headers of `len` bytes. `message` has room for JMSG_LENGTH_MAX bytes, and is a string if REFUSED. */
int pvlu_zoo_jpeg_frame(const uint8_t *bytes, size_t len, struct frame *frame, char *message)
{
    struct decoder decoder = {.bytes = bytes, .len = len, .frame = frame, .message = message};
    return run(&decoder, read_frame);
}

/* Decodes `len` bytes into `pixels`, whose length must be width x height x components of the frame. */
int pvlu_zoo_jpeg_pixels(const uint8_t *bytes, size_t len, int max_scans, long max_memory, uint8_t *pixels,
                         size_t pixels_len, char *message)
{
    struct decoder decoder = {
        .bytes = bytes,
        .len = len,
        .max_scans = max_scans,
        .max_memory = max_memory,
        .pixels = pixels,
        .pixels_len = pixels_len,
        .message = message,
    };
    return run(&decoder, read_pixels);
}
