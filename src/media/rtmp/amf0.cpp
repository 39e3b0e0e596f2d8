#include "media/rtmp/amf0.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "media/rtmp/failure.h"
#include "media/rtmp/message.h"

namespace spaktok::media::rtmp::amf0 {

namespace {

enum class Marker : std::uint8_t {
    number = 0,
    boolean = 1,
    string = 2,
    object = 3,
    null = 5,
    undefined = 6,
    reference = 7,
    ecma_array = 8,
    object_end = 9,
    strict_array = 10,
    date = 11,
    long_string = 12,
    unsupported = 13,
    xml_document = 15,
    typed_object = 16,
    avmplus = 17,
};

class Decoder {
  public:
    explicit Decoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    bool at_end() const { return bytes_.empty(); }

    Value value(std::size_t depth) {
        if (++values_ > values_max) fail(reason::too_large, "A command or its metadata has too many values.");
        if (depth > depth_max) fail(reason::too_large, "A command or its metadata is nested too deeply.");
        switch (static_cast<Marker>(take(1)[0])) {
            case Marker::number:
                return number();
            case Marker::boolean:
                return take(1)[0] != 0;
            case Marker::string:
                return text(read_u16(take(2).data()));
            case Marker::object:
                return object(depth);
            case Marker::null:
            case Marker::unsupported:
                return Null{};
            case Marker::undefined:
                return Value{};
            case Marker::ecma_array:
                take(4);
                return object(depth);  // the count is only a hint
            case Marker::strict_array:
                return array(depth);
            case Marker::date:
                return date();
            case Marker::long_string:
            case Marker::xml_document:
                return text(read_u32(take(4).data()));
            case Marker::typed_object:
                text(read_u16(take(2).data()));
                return object(depth);
            case Marker::reference:
                fail(reason::malformed, "AMF0 references are not supported.");
            case Marker::avmplus:
                fail(reason::malformed, "AMF3 values are not supported.");
            case Marker::object_end:
                break;
        }
        fail(reason::malformed, "A command or its metadata is not AMF0.");
    }

  private:
    std::span<const std::uint8_t> take(std::size_t size) {
        if (size > bytes_.size()) fail(reason::malformed, "A command or its metadata is cut off.");
        const auto taken = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return taken;
    }

    double number() {
        const auto bytes = take(8);
        return std::bit_cast<double>(std::uint64_t{read_u32(bytes.data())} << 32 |
                                     read_u32(bytes.data() + 4));
    }

    std::string text(std::size_t size) {
        const auto bytes = take(size);
        return {bytes.begin(), bytes.end()};
    }

    Value date() {
        const Date at{number()};
        take(2);
        return Value::Variant{at};
    }

    Value object(std::size_t depth) {
        Object result;
        while (true) {
            std::string name = text(read_u16(take(2).data()));
            if (name.empty() && !bytes_.empty() &&
                bytes_[0] == static_cast<std::uint8_t>(Marker::object_end)) {
                take(1);
                return result;
            }
            // Some encoders leave the end marker of the last object out.
            if (name.empty() && bytes_.empty()) return result;
            Value member = value(depth + 1);
            result.members.emplace_back(std::move(name), std::move(member));
        }
    }

    Value array(std::size_t depth) {
        const std::uint32_t count = read_u32(take(4).data());
        Array result;
        for (std::uint32_t i = 0; i < count; ++i)
            result.items.push_back(value(depth + 1));
        return result;
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t values_ = 0;
};

class Encoder {
  public:
    explicit Encoder(std::vector<std::uint8_t>& output) : output_(output) {}

    void operator()(Undefined) { put(Marker::undefined); }
    void operator()(Null) { put(Marker::null); }
    void operator()(double number) {
        put(Marker::number);
        put_double(number);
    }
    void operator()(bool flag) {
        put(Marker::boolean);
        output_.push_back(flag ? 1 : 0);
    }
    void operator()(const std::string& text) {
        const bool is_long = text.size() > 0xFFFF;
        put(is_long ? Marker::long_string : Marker::string);
        put_number(text.size(), is_long ? 4 : 2);
        output_.insert(output_.end(), text.begin(), text.end());
    }
    void operator()(const Date& date) {
        put(Marker::date);
        put_double(date.milliseconds);
        put_number(0, 2);
    }
    void operator()(const Object& object) {
        put(Marker::object);
        for (const auto& [name, value] : object.members) {
            SPAKTOK_ASSERT(name.size() <= 0xFFFF);
            put_number(name.size(), 2);
            output_.insert(output_.end(), name.begin(), name.end());
            std::visit(*this, value.variant());
        }
        put_number(0, 2);
        put(Marker::object_end);
    }
    void operator()(const Array& array) {
        put(Marker::strict_array);
        put_number(array.items.size(), 4);
        for (const Value& item : array.items)
            std::visit(*this, item.variant());
    }

  private:
    void put(Marker marker) { output_.push_back(static_cast<std::uint8_t>(marker)); }
    void put_number(std::uint64_t value, int bytes) {
        for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
            output_.push_back(static_cast<std::uint8_t>(value >> shift));
        }
    }
    void put_double(double number) { put_number(std::bit_cast<std::uint64_t>(number), 8); }

    std::vector<std::uint8_t>& output_;
};

}  // namespace

Value::Value(Object object) : variant_(std::move(object)) {}
Value::Value(Array array) : variant_(std::move(array)) {}

const Value* Object::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(members, [&](const auto& member) { return member.first == name; });
    return found == members.end() ? nullptr : &found->second;
}

bool Object::operator==(const Object& other) const {
    return members == other.members;
}
bool Array::operator==(const Array& other) const {
    return items == other.items;
}

std::vector<Value> decode(std::span<const std::uint8_t> bytes) {
    Decoder decoder(bytes);
    std::vector<Value> values;
    while (!decoder.at_end())
        values.push_back(decoder.value(0));
    return values;
}

void encode(std::vector<std::uint8_t>& output, std::span<const Value> values) {
    Encoder encoder(output);
    for (const Value& value : values)
        std::visit(encoder, value.variant());
}

}  // namespace spaktok::media::rtmp::amf0
