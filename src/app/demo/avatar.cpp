#include "app/demo/avatar.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"

namespace spaktok::demo {

namespace {

struct Palette {
    Colour from, to, accent;
};

constexpr Colour rgb(std::uint32_t value) {
    return {(value >> 16 & 0xFF) / 255.0, (value >> 8 & 0xFF) / 255.0, (value & 0xFF) / 255.0};
}

constexpr std::array palettes{Palette{rgb(0xFF9A8B), rgb(0xFF6A88), rgb(0x5B2A86)},
                              Palette{rgb(0x43C6AC), rgb(0x191654), rgb(0xF8FFAE)},
                              Palette{rgb(0xFDC830), rgb(0xF37335), rgb(0x7A1E48)},
                              Palette{rgb(0x74EBD5), rgb(0x5B7FDB), rgb(0x1D2B64)},
                              Palette{rgb(0xC471F5), rgb(0xFA71CD), rgb(0x35155D)},
                              Palette{rgb(0x96E6A1), rgb(0x2E8B7F), rgb(0x123C3A)},
                              Palette{rgb(0xA1C4FD), rgb(0x6A85F1), rgb(0x20295C)},
                              Palette{rgb(0xF6D365), rgb(0xFD8D5B), rgb(0x4A2B52)},
                              Palette{rgb(0xFBC2EB), rgb(0x8F94FB), rgb(0x2B2D77)},
                              Palette{rgb(0x56CCF2), rgb(0x2F80ED), rgb(0xFFE29A)}};
constexpr std::array skins{rgb(0xF6D2B8), rgb(0xE9B48F), rgb(0xC98B62), rgb(0x9C6240), rgb(0x6B3F2A)};
constexpr std::array hairs{rgb(0x2A1E1A), rgb(0x5A3825), rgb(0xC98F4A), rgb(0x8C3B24),
                           rgb(0x22252E), rgb(0xD8D2CB), rgb(0x3A4E8C), rgb(0xE0607E)};
constexpr Colour ink = rgb(0x241C26);
constexpr Colour white = rgb(0xFFFFFF);

Colour mix(Colour a, Colour b, double share) {
    return {a.red + (b.red - a.red) * share, a.green + (b.green - a.green) * share,
            a.blue + (b.blue - a.blue) * share};
}

// What one face has; all lengths are in units of the picture's half side, the middle is (0, 0).
struct Face {
    Palette palette;
    Colour skin;
    Colour hair;
    Colour shirt;
    int hair_style = 0;  // short, bob, bun, curls, long
    int mouth = 0;       // smile, open, calm
    bool glasses = false;
    bool blush = false;
    double blob_x = 0, blob_y = 0, blob_radius = 0;
    double angle = 0;
};

Face make_face(std::uint64_t seed) {
    SeededRandom random(seed);
    const auto pick = [&random](const auto& from) { return from[random.below(from.size())]; };
    const auto between = [&random](double low, double high) {
        return low + (high - low) * static_cast<double>(random.below(1000)) / 999;
    };
    Face face{.palette = palettes[seed % palettes.size()], .skin = pick(skins), .hair = pick(hairs)};
    face.shirt = mix(face.palette.accent, white, between(0.0, 0.25));
    face.hair_style = static_cast<int>(random.below(5));
    face.mouth = static_cast<int>(random.below(3));
    face.glasses = random.below(3) == 0;
    face.blush = random.below(2) == 0;
    face.blob_x = between(-0.7, 0.7);
    face.blob_y = between(-0.8, 0.1);
    face.blob_radius = between(0.5, 0.85);
    face.angle = between(0, 6.28);
    return face;
}

// The pixel at (x, y): each form covers it by how deep inside it lies, with an edge as soft as one pixel.
class Brush {
  public:
    Brush(double x, double y, Colour base) : x_(x), y_(y), colour_(base) {}

    struct Ellipse {
        double x, y, width, height;  // the middle and the half axes
    };
    double inside(Ellipse form, double softness = pixel) const {
        const double distance = std::hypot((x_ - form.x) / form.width, (y_ - form.y) / form.height) - 1;
        return std::clamp(0.5 - distance * std::min(form.width, form.height) / softness, 0.0, 1.0);
    }
    double inside_ring(Ellipse form, double thickness) const {
        const Ellipse hole{form.x, form.y, form.width - thickness, form.height - thickness};
        return inside(form) * (1 - inside(hole));
    }
    double above(double line) const { return std::clamp(0.5 + (line - y_) / pixel, 0.0, 1.0); }
    void paint(Colour colour, double cover) { colour_ = mix(colour_, colour, cover); }
    Colour colour() const { return colour_; }

  private:
    static constexpr double pixel = 2.0 / avatar_side * 1.4;
    double x_, y_;
    Colour colour_;
};

void paint_background(Brush& brush, const Face& face) {
    brush.paint(mix(face.palette.from, white, 0.35),
                0.55 * brush.inside({face.blob_x, face.blob_y, face.blob_radius, face.blob_radius}, 0.3));
    brush.paint(face.palette.to,
                0.5 * brush.inside({-face.blob_x, 0.9, face.blob_radius * 1.2, face.blob_radius * 0.8}, 0.4));
}

void paint_back_hair(Brush& brush, const Face& face) {
    if (face.hair_style == 1) brush.paint(face.hair, brush.inside({0, 0.0, 0.53, 0.52}));
    if (face.hair_style == 2) brush.paint(face.hair, brush.inside({0, -0.66, 0.2, 0.19}));
    if (face.hair_style == 4) {
        brush.paint(face.hair, brush.inside({0, 0.02, 0.52, 0.56}));
        brush.paint(face.hair, brush.inside({0, 0.35, 0.5, 0.5}));
    }
    if (face.hair_style == 3) {
        constexpr int curls = 9;
        for (int i = 0; i < curls; ++i) {
            const double turn = 3.14159 * (1.02 + 0.96 * i / (curls - 1));
            brush.paint(face.hair,
                        brush.inside({0.45 * std::cos(turn), -0.12 + 0.45 * std::sin(turn), 0.17, 0.17}));
        }
    }
}

void paint_body(Brush& brush, const Face& face) {
    brush.paint(face.shirt, brush.inside({0, 1.08, 0.74, 0.5}));
    brush.paint(mix(face.skin, ink, 0.14), brush.inside({0, 0.52, 0.17, 0.24}));
    brush.paint(face.skin, brush.inside({-0.43, 0.02, 0.08, 0.11}));
    brush.paint(face.skin, brush.inside({0.43, 0.02, 0.08, 0.11}));
    brush.paint(face.skin, brush.inside({0, 0.0, 0.43, 0.5}));
}

void paint_fringe(Brush& brush, const Face& face) {
    const double line = face.hair_style == 1 ? -0.2 : -0.26;
    const double cap = brush.inside({0, -0.04, 0.46, 0.53}) * brush.above(line);
    const double parting = brush.inside({face.angle > 3.14 ? 0.2 : -0.2, -0.1, 0.34, 0.3});
    brush.paint(face.hair, cap * (1 - (face.hair_style == 1 ? 0 : parting)));
}

void paint_features(Brush& brush, const Face& face) {
    for (const double side : {-1.0, 1.0}) {
        if (face.blush)
            brush.paint(rgb(0xF0647C), 0.35 * brush.inside({side * 0.25, 0.16, 0.09, 0.06}, 0.06));
        brush.paint(ink, brush.inside({side * 0.165, 0.0, 0.042, 0.055}));
        brush.paint(white, brush.inside({side * 0.165 + 0.015, -0.02, 0.014, 0.016}));
        brush.paint(mix(face.hair, ink, 0.4), brush.inside({side * 0.17, -0.115, 0.085, 0.017}));
        if (face.glasses) brush.paint(ink, brush.inside_ring({side * 0.175, 0.0, 0.14, 0.13}, 0.022));
    }
    if (face.glasses) brush.paint(ink, brush.inside({0, -0.02, 0.045, 0.012}));
    brush.paint(mix(face.skin, ink, 0.2), brush.inside({0, 0.105, 0.04, 0.026}));
    const double lower_half = 1 - brush.above(0.21);
    if (face.mouth == 0) brush.paint(ink, brush.inside_ring({0, 0.19, 0.13, 0.12}, 0.026) * lower_half);
    if (face.mouth == 1) {
        brush.paint(rgb(0x7A2233), brush.inside({0, 0.2, 0.125, 0.13}) * lower_half);
        brush.paint(white, brush.inside({0, 0.205, 0.105, 0.045}) * lower_half);
    }
    if (face.mouth == 2) brush.paint(ink, brush.inside({0, 0.25, 0.085, 0.014}));
}

}  // namespace

Image draw_avatar(std::uint64_t seed) {
    const Face face = make_face(seed);
    Image image(avatar_side, avatar_side);
    for (int row = 0; row < avatar_side; ++row) {
        for (int column = 0; column < avatar_side; ++column) {
            const double x = (2.0 * column + 1) / avatar_side - 1;
            const double y = (2.0 * row + 1) / avatar_side - 1;
            const double along = 0.5 + 0.35 * (x * std::cos(face.angle) + y * std::sin(face.angle));
            Brush brush(x, y, mix(face.palette.from, face.palette.to, std::clamp(along, 0.0, 1.0)));
            paint_background(brush, face);
            paint_back_hair(brush, face);
            paint_body(brush, face);
            paint_fringe(brush, face);
            paint_features(brush, face);
            image.set(column, row, brush.colour());
        }
    }
    return image;
}

}  // namespace spaktok::demo
