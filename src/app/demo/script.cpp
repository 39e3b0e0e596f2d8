#include "app/demo/script.h"

namespace spaktok::demo {

namespace {

// Drawn small and scaled up: expressions are worked out for each pixel, and both broadcasts together must
// leave most of a core to whoever watches. Every channel stays within 0 to 255.
constexpr std::string_view aurora =
    "nullsrc=s=64x36:r=25,format=gbrp,geq="
    "r='120+60*sin(X/11.5+T/5)+55*sin((Y+7*sin(X/9.5+T/3))/6.5-T/4)':"
    "g='70+34*sin(X/15.5-T/6)+34*sin((Y+5*sin(X/13.5-T/4))/8.5+T/5)':"
    "b='145+50*sin(Y/10.5+T/7)+55*sin((X+Y)/18.5-T/4)',"
    "scale=1280:720:flags=bilinear,format=yuv420p";
// Rings around two wandering points, as a wall of 64 x 36 lamps behind a dark grid.
constexpr std::string_view lamps =
    "nullsrc=s=64x36:r=25,format=gbrp,geq="
    "r='40+150*pow(0.5+0.5*sin(hypot(X-32-20*sin(T/3),Y-18-9*cos(T/4))/2.6-T*1.3),3)':"
    "g='28+170*pow(0.5+0.5*sin(hypot(X-32+22*sin(T/5),Y-18+10*sin(T/3))/3.4-T*0.9),3)':"
    "b='60+150*pow(0.5+0.5*sin((X-Y)/6+T/2),2)',"
    "scale=1280:720:flags=neighbor,drawgrid=w=20:h=20:t=5:c=0x0b0d14,format=yuv420p";

// Open fifths and octaves over A, F, C and G, four seconds each: every swell ends in silence, so that the
// change of chord is not heard as a click.
constexpr std::string_view chords =
    "st(0,mod(floor(t/4),4));"
    "st(1,if(eq(ld(0),0),220,if(eq(ld(0),1),174.61,if(eq(ld(0),2),130.81,196))));"
    "st(2,pow(sin(PI*mod(t,4)/4),2));"
    "0.05*ld(2)*(sin(2*PI*ld(1)*t)+0.7*sin(3*PI*ld(1)*t)+0.5*sin(4*PI*ld(1)*t)+0.2*sin(6*PI*ld(1)*t))";
// Slow plucked notes of a pentatonic scale over a quiet low tone.
constexpr std::string_view plucks =
    "st(0,floor(t/0.75));st(3,mod(t,0.75));st(4,mod(ld(0)*3+floor(ld(0)/5),5));"
    "st(1,261.63*pow(2,if(lt(ld(4),1),0,if(lt(ld(4),2),3,if(lt(ld(4),3),5,if(lt(ld(4),4),7,10))))/12));"
    "0.07*min(1,ld(3)*60)*exp(-4*ld(3))*(1-pow(ld(3)/0.75,6))*(sin(2*PI*ld(1)*t)+0.3*sin(4*PI*ld(1)*t))"
    "+0.02*sin(2*PI*130.81*t)";

}  // namespace

std::span<const Show> shows() {
    static const std::vector<Show> all{
        {.host = "maya",
         .title = "Chords you can see: a synth from scratch",
         .description =
             "Building a small software synthesizer in C++ and teaching it to paint what it plays. "
             "Today: envelopes, voice leading, and a sky that follows the harmony.",
         .picture = aurora,
         .sound = chords,
         .conversations = synth_conversations(),
         .audience = {"priya", "leo", "hana", "felix", "zoe", "kwame", "ines", "yusuf", "lin"},
         .greetings = {"hi {}, welcome in! Make yourself at home.", "hey {}! Good to see a new face here.",
                       "welcome {}! Ask anything, any time."}},
        {.host = "jonas",
         .title = "LED wall, day 12: first light on all 2,304 pixels",
         .description = "64 × 36 LEDs, a black birch grid and one small microcontroller. "
                        "Testing patterns, chasing flicker, and deciding what frame it gets.",
         .picture = lamps,
         .sound = plucks,
         .conversations = wall_conversations(),
         .audience = {"tomasz", "amira", "oskar", "mei", "diego", "nora", "clara", "rafael"},
         .greetings = {"welcome {}! Mind the cables.", "hi {}! You picked a good moment, it's all lit up.",
                       "hey {}, nice of you to drop by!"}}};
    return all;
}

std::span<const Announcement> announcements() {
    static const std::vector<Announcement> all{
        {"mei",
         "PCB layout with tea: routing a USB-C board",
         "Two layers, one evening, no music. We route the differential pairs and talk about why.",
         std::chrono::hours{5},
         {{"tomasz", "finally, differential pairs! I'll bring questions"},
          {"mei", "and I'll bring oolong", 0},
          {"oskar", "will you show the length matching?"},
          {"mei", "yes, and why it matters less than people think at this speed", 2},
          {"amira", "setting an alarm for this one"}}},
        {"hana",
         "Plotter night: one line, one drawing",
         "A whole portrait with a single line that never lifts the pen. I bring paper, you bring ideas.",
         std::chrono::hours{27},
         {{"ines", "which pen this time?"},
          {"hana", "a 0.3 fineliner, the big one bled through last week", 0},
          {"yusuf", "please do a travelling salesman one"},
          {"leo", "can't wait, the last one hangs over my desk now"}}},
        {"nora",
         "A text editor in Zig: undo that never loses anything",
         "Undo as a tree instead of a stack, and how to show it without frightening anyone.",
         std::chrono::hours{50},
         {{"felix", "undo trees! are you keeping them on disk?"},
          {"nora", "that's exactly the question of the evening", 0},
          {"rafael", "I'd pay for an undo tree in production"}}},
        {"diego",
         "Teaching a small robot to walk forwards",
         "It walks backwards perfectly. This weekend we find out why.",
         std::chrono::hours{76},
         {{"clara", "have you tried turning it around?"},
          {"diego", "...I have not", 0},
          {"lin", "hahaha, I'll be there"}}}};
    return all;
}

}  // namespace spaktok::demo
